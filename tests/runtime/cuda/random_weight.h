#pragma once
// Weights of any encoding with random planes.

#include <cstring>
#include <random>

#include "formats/artifact/encoding.h"
#include "formats/artifact/half.h"

namespace lathe::test {

/// `kept` is the share of weights that a mask keeps.
inline EncodedBuffer random_weight(uint64_t rows, uint64_t cols, const Encoding& encoding, uint64_t seed,
                                   double kept = 0.5) {
  std::mt19937_64 random(seed);
  EncodedBuffer weight{encoding, {rows, cols}, {}};
  const bool sparse = encoding.sparsity == Sparsity::bitmask;
  const ValueCodec& codec = value_codec(encoding.values);
  for (uint64_t row = 0; row < rows; ++row) {
    std::vector<std::byte> mask(sparse ? ceil_div(cols, 8) : 0);
    uint64_t count = sparse ? 0 : cols;
    for (uint64_t col = 0; sparse && col < cols; ++col) {
      if (static_cast<double>(random() % 1000) >= kept * 1000) continue;
      mask[col / 8] |= static_cast<std::byte>(1u << (col % 8));
      ++count;
    }
    std::vector<std::byte> values(packed_bytes(encoding.values, count));
    if (codec.integer) {
      std::vector<int8_t> integers(count);
      for (int8_t& q : integers) {
        const int steps = codec.highest - codec.lowest + 1;
        q = static_cast<int8_t>(codec.lowest + static_cast<int>(random() % static_cast<uint64_t>(steps)));
      }
      codec.store_integers(integers.data(), count, values.data());
      const uint16_t scale = f32_to_bf16(0.001f + static_cast<float>(random() % 100) / 50'000);
      const auto* bytes = reinterpret_cast<const std::byte*>(&scale);
      weight.plane(Plane::row_scales).insert(weight.plane(Plane::row_scales).end(), bytes, bytes + 2);
    } else {
      std::vector<float> floats(count);
      for (float& value : floats) value = static_cast<float>(random() % 2001) / 1000 - 1;
      codec.store_floats(floats.data(), count, values.data());
    }
    weight.plane(Plane::values).insert(weight.plane(Plane::values).end(), values.begin(), values.end());
    weight.plane(Plane::mask).insert(weight.plane(Plane::mask).end(), mask.begin(), mask.end());
    if (encoding.group == 0) continue;
    const uint64_t groups = group_count(encoding, cols);
    for (uint64_t i = 0; i < ceil_div(groups, 2); ++i) {
      const bool both = 2 * i + 1 < groups;
      weight.plane(Plane::group_scales).push_back(static_cast<std::byte>(random() % (both ? 256 : 16)));
    }
  }
  return weight;
}

}  // namespace lathe::test
