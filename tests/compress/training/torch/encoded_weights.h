#pragma once
// Weights in every encoding, as the compressor makes them.

#include <vector>

#include "compress/methods/encode.h"
#include "tests/compress/methods/layer_samples.h"

namespace lathe::test {

/// The encodings that training meets; the last group of int4 is ragged for widths that 32 does not divide.
inline const std::vector<Encoding> kTrainedEncodings = {
    {ValueType::f32, Sparsity::dense, 0},    {ValueType::f16, Sparsity::dense, 0},
    {ValueType::bf16, Sparsity::dense, 0},   {ValueType::int8, Sparsity::dense, 0},
    {ValueType::int4, Sparsity::dense, 32},  {ValueType::f32, Sparsity::bitmask, 0},
    {ValueType::f16, Sparsity::bitmask, 0},  {ValueType::int8, Sparsity::bitmask, 0},
    {ValueType::int4, Sparsity::bitmask, 32}};

/// Random weights on the best grid, half of them zero where the encoding has a mask.
inline EncodedBuffer encoded_weight(const Encoding& encoding, size_t rows, size_t cols, uint64_t seed) {
  Matrix weight = random_matrix(rows, cols, seed);
  for (float& value : weight.values) value *= 0.1f;
  const Mask keep = magnitude_mask(weight, encoding.sparsity == Sparsity::dense ? 0.0 : 0.5);
  const Grid grid = choose_grid(weight, encoding, {}, &keep);
  for (size_t r = 0; r < rows; ++r) {
    for (size_t c = 0; c < cols; ++c) {
      float& value = weight.row(r)[c];
      value = keep[r * cols + c] != 0 ? grid.snap(r, c, value) : 0.0f;
    }
  }
  return encode(weight, grid, encoding);
}

inline bool same_planes(const EncodedBuffer& a, const EncodedBuffer& b) {
  return a.encoding == b.encoding && a.shape == b.shape && a.planes == b.planes;
}

}  // namespace lathe::test
