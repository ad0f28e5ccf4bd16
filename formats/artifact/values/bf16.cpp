// bfloat16: the upper half of an f32.

#include "formats/artifact/values/sixteen_bits.h"
#include "formats/artifact/values/value_codec.h"

namespace lathe::values {

constexpr uint16_t kLargest = 0x7f7f;  // the bits of the largest finite number

extern const ValueCodec kBf16;
const ValueCodec kBf16 = {ValueType::bf16,
                          "bf16",
                          16,
                          false,
                          false,
                          0,
                          0,
                          nearest_half<bf16_to_f32, f32_to_bf16, kLargest>,
                          load_halves<bf16_to_f32>,
                          store_halves<f32_to_bf16>,
                          nullptr,
                          nullptr};

}  // namespace lathe::values
