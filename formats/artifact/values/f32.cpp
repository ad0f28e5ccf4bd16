// IEEE single precision, little-endian.

#include "formats/artifact/bytes.h"
#include "formats/artifact/values/value_codec.h"

namespace lathe::values {
namespace {

float nearest(float value) { return value + 0.0f; }

void load(const std::byte* packed, uint64_t count, float* values) {
  for (uint64_t i = 0; i < count; ++i) values[i] = load_le<float>(packed + i * sizeof(float));
}

void store(const float* values, uint64_t count, std::byte* packed) {
  for (uint64_t i = 0; i < count; ++i) store_le(values[i], packed + i * sizeof(float));
}

}  // namespace

extern const ValueCodec kF32;
const ValueCodec kF32 = {ValueType::f32, "f32", 32, false, false, 0, 0, nearest, load, store, nullptr, nullptr};

}  // namespace lathe::values
