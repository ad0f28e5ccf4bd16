#pragma once
// The values that the compressor computes with: dense matrices, and statistics of a layer's inputs.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lathe {

/// A matrix [rows, cols] of floats, row-major. A linear layer's weight is [outputs, inputs].
struct Matrix {
  size_t rows = 0;
  size_t cols = 0;
  std::vector<float> values;

  Matrix() = default;
  Matrix(size_t row_count, size_t col_count) : rows(row_count), cols(col_count), values(row_count * col_count) {}
  float* row(size_t r) { return values.data() + r * cols; }
  const float* row(size_t r) const { return values.data() + r * cols; }
};

/// What calibration learnt about the inputs of one linear layer: x is the input in the compressed model, and y is the
/// input of the same layer in the original model. The two are equal where the layers before are untouched.
struct InputStatistics {
  uint64_t tokens = 0;
  size_t width = 0;
  std::vector<double> gram;          // sum of x x^T: [width, width], both triangles
  std::vector<double> cross_gram;    // sum of y x^T: [width, width]; empty when the two models agree so far
  std::vector<double> sum;           // sum of x: [width]
  std::vector<double> original_sum;  // sum of y: [width]; empty with cross_gram
  double rounding = 0;               // sum of the mean square that rounding x to 8 bits adds to each of its elements
};

}  // namespace lathe
