#pragma once
// What the encoders of GGUF types have in common. For formats/gguf/ alone.

#include <cmath>
#include <cstring>

#include "formats/artifact/half.h"
#include "formats/gguf/gguf_encode.h"

namespace lathe::detail {

inline constexpr float kLargestHalf = 65504;
inline constexpr float kScaleTolerance = 0x1p-11f;  // what rounding to half may do to the scale of a grid that is kept

template <class T>
void store(std::byte* out, T value) {
  std::memcpy(out, &value, sizeof value);
}

/// Throws Error{limit} naming `what` and the number when it does not fit.
inline uint16_t half_of(float value, const std::string& what) {
  const uint16_t half = f32_to_f16(value);
  if ((half & 0x7fffu) < 0x7c00u) return half;
  fail(Errc::limit, message(what, ": ", value, " does not fit half precision, whose largest number is ", kLargestHalf));
}

inline bool keeps_scale(float scale, float tolerance) {
  const float half = f16_to_f32(f32_to_f16(scale));
  return std::isfinite(half) && std::abs(half - scale) <= tolerance * std::abs(scale);
}

/// True when the row lies on a grid whose integers are within [low, high] and whose scales, row scale times multiplier,
/// survive half precision.
bool keeps_grid(const GgufRow& row, int low, int high);

/// The number of the block with the largest magnitude, the first of equals.
float largest_of(std::span<const float> values);

void encode_q4_k(const GgufRow& row, const std::string& what, std::byte* out);
void encode_q6_k(const GgufRow& row, const std::string& what, std::byte* out);

}  // namespace lathe::detail
