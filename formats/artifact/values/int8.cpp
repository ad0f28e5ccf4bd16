// Eight bits, two's complement.

#include <algorithm>

#include "formats/artifact/values/value_codec.h"

namespace lathe::values {
namespace {

void load(const std::byte* packed, uint64_t count, int8_t* values) {
  std::transform(packed, packed + count, values, [](std::byte byte) { return std::to_integer<int8_t>(byte); });
}

void store(const int8_t* values, uint64_t count, std::byte* packed) {
  std::transform(values, values + count, packed, [](int8_t value) { return static_cast<std::byte>(value); });
}

}  // namespace

extern const ValueCodec kInt8;
const ValueCodec kInt8 = {ValueType::int8, "int8", 8, true, false, -127, 127, nullptr, nullptr, nullptr, load, store};

}  // namespace lathe::values
