#pragma once
// What the floating-point types of 16 bits share: they are packed as their bits, little-endian.

#include <algorithm>

#include "formats/artifact/bytes.h"
#include "formats/artifact/half.h"

namespace lathe::values {

template <float (*to_f32)(uint16_t)>
void load_halves(const std::byte* packed, uint64_t count, float* values) {
  for (uint64_t i = 0; i < count; ++i) values[i] = to_f32(load_le<uint16_t>(packed + i * sizeof(uint16_t)));
}

template <uint16_t (*from_f32)(float)>
void store_halves(const float* values, uint64_t count, std::byte* packed) {
  for (uint64_t i = 0; i < count; ++i) store_le(from_f32(values[i]), packed + i * sizeof(uint16_t));
}

/// The nearest number with those bits that is not infinite; adding 0 turns -0 into 0.
template <float (*to_f32)(uint16_t), uint16_t (*from_f32)(float), uint16_t kLargest>
float nearest_half(float value) {
  const float largest = to_f32(kLargest);
  return to_f32(from_f32(std::clamp(value, -largest, largest))) + 0.0f;
}

}  // namespace lathe::values
