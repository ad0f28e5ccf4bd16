#include "formats/artifact/values/value_codec.h"

#include <array>

namespace lathe {
namespace values {

extern const ValueCodec kF32, kF16, kBf16, kInt8, kInt4;

// By the numbers of ValueType.
constexpr std::array<const ValueCodec*, 5> kCodecs = {&kF32, &kF16, &kBf16, &kInt8, &kInt4};

}  // namespace values

const ValueCodec& value_codec(ValueType type) { return *values::kCodecs[static_cast<size_t>(type)]; }
std::span<const ValueCodec* const> value_codecs() { return values::kCodecs; }

}  // namespace lathe
