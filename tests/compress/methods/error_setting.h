#pragma once
// A weight with the second moments of its inputs, for the tests of what moves weights on a grid.

#include <catch2/catch.hpp>
#include <vector>

#include "compress/methods/error_feedback.h"
#include "compress/methods/linalg.h"
#include "tests/compress/methods/layer_samples.h"

namespace lathe::test {

struct ErrorSetting {
  Matrix weight;
  std::vector<double> gram;     // damped
  std::vector<float> gram_f32;  // the same numbers

  ErrorSetting(Matrix of, std::vector<double> moments) : weight(std::move(of)), gram(std::move(moments)) {
    gram_f32.assign(gram.begin(), gram.end());
  }
  /// tr((values - weight) gram (values - weight)^T)
  double error_of(const Matrix& values) const {
    Matrix difference = values;
    view(difference) -= view(weight);
    return quadratic_form(difference, gram);
  }
};

/// Random weights and correlated inputs, damped by a hundredth of the mean moment.
inline ErrorSetting error_setting(size_t rows, size_t cols, uint64_t seed) {
  std::vector<double> gram = statistics_of(correlated_inputs(4 * cols + 10, cols, seed)).gram;
  auto diagonal = square(gram, cols).diagonal();
  diagonal.array() += 0.01 * diagonal.mean();
  return {random_matrix(rows, cols, seed), std::move(gram)};
}

inline Candidate rounded_to_nearest(const Matrix& weight, const Grid& grid, const Mask& keep) {
  Candidate out{weight, keep};
  for (size_t r = 0; r < weight.rows; ++r) {
    for (size_t c = 0; c < weight.cols; ++c) {
      float& value = out.values.row(r)[c];
      value = keep[r * weight.cols + c] != 0 ? grid.snap(r, c, value) : 0.0f;
    }
  }
  return out;
}

inline void check_on_grid(const Candidate& candidate, const Grid& grid) {
  for (size_t r = 0; r < candidate.values.rows; ++r) {
    for (size_t c = 0; c < candidate.values.cols; ++c) {
      const float value = candidate.values.row(r)[c];
      REQUIRE(grid.snap(r, c, value) == value);
      if (candidate.keep[r * candidate.values.cols + c] == 0) REQUIRE(value == 0);
    }
  }
}

}  // namespace lathe::test
