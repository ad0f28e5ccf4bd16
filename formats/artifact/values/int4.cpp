// Four bits, two's complement, two to a byte, the first in its lower half.

#include "formats/artifact/values/value_codec.h"

namespace lathe::values {
namespace {

int8_t extended(unsigned nibble) { return static_cast<int8_t>(nibble >= 8 ? static_cast<int>(nibble) - 16 : nibble); }

void load(const std::byte* packed, uint64_t count, int8_t* values) {
  for (uint64_t i = 0; i < count; ++i) {
    const auto both = std::to_integer<unsigned>(packed[i / 2]);
    values[i] = extended(i % 2 == 0 ? both & 15u : both >> 4);
  }
}

void store(const int8_t* values, uint64_t count, std::byte* packed) {
  for (uint64_t i = 0; i < count; ++i) {
    const unsigned nibble = static_cast<unsigned>(values[i]) & 15u;
    packed[i / 2] |= static_cast<std::byte>(i % 2 == 0 ? nibble : nibble << 4);
  }
}

}  // namespace

extern const ValueCodec kInt4;
const ValueCodec kInt4 = {ValueType::int4, "int4", 4, true, true, -8, 7, nullptr, nullptr, nullptr, load, store};

}  // namespace lathe::values
