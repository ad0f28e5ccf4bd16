#include "formats/artifact/values/value_codec.h"

#include <algorithm>
#include <array>

namespace lathe {
namespace values {

extern const ValueCodec kF32, kF16, kBf16, kInt8, kInt4;

// By the numbers of ValueType.
constexpr std::array<const ValueCodec*, 5> kCodecs = {&kF32, &kF16, &kBf16, &kInt8, &kInt4};

}  // namespace values

const ValueCodec& value_codec(ValueType type) { return *values::kCodecs[static_cast<size_t>(type)]; }
const ValueCodec* find_value_codec(std::string_view name) {
  const auto found = std::find_if(values::kCodecs.begin(), values::kCodecs.end(),
                                  [&](const ValueCodec* codec) { return codec->name == name; });
  return found == values::kCodecs.end() ? nullptr : *found;
}
std::span<const ValueCodec* const> value_codecs() { return values::kCodecs; }

}  // namespace lathe
