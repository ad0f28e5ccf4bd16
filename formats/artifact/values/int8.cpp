// Eight bits, two's complement.

#include <cstring>

#include "formats/artifact/values/value_codec.h"

namespace lathe::values {
namespace {

void load(const std::byte* packed, uint64_t count, int8_t* values) { std::memcpy(values, packed, count); }
void store(const int8_t* values, uint64_t count, std::byte* packed) { std::memcpy(packed, values, count); }

}  // namespace

extern const ValueCodec kInt8;
const ValueCodec kInt8 = {ValueType::int8, "int8", 8, true, false, -127, 127, nullptr, nullptr, nullptr, load, store};

}  // namespace lathe::values
