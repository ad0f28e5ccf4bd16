// IEEE half precision.

#include "formats/artifact/values/sixteen_bits.h"
#include "formats/artifact/values/value_codec.h"

namespace lathe::values {

constexpr uint16_t kLargest = 0x7bff;  // the bits of the largest finite number

extern const ValueCodec kF16;
const ValueCodec kF16 = {ValueType::f16,
                         "f16",
                         16,
                         false,
                         false,
                         0,
                         0,
                         nearest_half<f16_to_f32, f32_to_f16, kLargest>,
                         load_halves<f16_to_f32>,
                         store_halves<f32_to_f16>,
                         nullptr,
                         nullptr};

}  // namespace lathe::values
