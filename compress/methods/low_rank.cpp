// Low rank: the best product of two factors for the inputs that calibration saw.

#include <algorithm>

#include "compress/methods/linalg.h"
#include "compress/methods/objective.h"
#include "formats/artifact/error.h"

namespace lathe {
namespace {

std::vector<double> transpose(size_t rows, size_t cols, const std::vector<double>& values) {
  std::vector<double> out(values.size());
  for (size_t r = 0; r < rows; ++r) {
    for (size_t c = 0; c < cols; ++c) out[c * rows + r] = values[r * cols + c];
  }
  return out;
}

// The directions of the output, largest energy first, each a row of the result [min(rows, cols), rows]. The best
// approximation of rank k of the layer's output is its projection on the first k of them: a whitened SVD whose
// whitening factor is never inverted.
std::vector<double> output_directions(const std::string& name, const Matrix& weight, const std::vector<double>& gram) {
  const size_t rows = weight.rows;
  const size_t cols = weight.cols;
  std::vector<double> values(weight.values.begin(), weight.values.end());
  const size_t count = std::min(rows, cols);
  // A tall weight's outputs lie in the space of its columns; directions are sought there.
  std::vector<double> basis;
  if (rows > cols) {
    basis = values;
    if (!orthonormal_columns(rows, cols, basis)) fail(Errc::internal, message("tensor ", name, ": no basis found"));
    basis = transpose(rows, cols, basis);
    values = product(cols, cols, rows, basis, values);
  }
  const std::vector<double> weighted = gram.empty() ? values : product(count, cols, cols, values, gram);
  std::vector<double> moments = product(count, count, cols, weighted, values, true);
  if (!eigenvectors(count, moments)) fail(Errc::internal, message("tensor ", name, ": no eigenvectors found"));
  return basis.empty() ? moments : product(count, rows, count, moments, basis);
}

}  // namespace

LowRank factor_low_rank(const std::string& name, const Matrix& weight, const InputStatistics* statistics, size_t rank,
                        std::vector<std::string>& fallbacks) {
  require_finite(name, weight);
  const size_t most = std::min(weight.rows, weight.cols);
  if (rank == 0 || rank > most) {
    fail(Errc::usage, message("tensor ", name, ": rank is ", rank, ", must be in [1, ", most, "]"));
  }
  LayerGoal goal;
  goal.bias_correction = false;  // the factors themselves must carry the mean of the output
  const Objective objective = make_objective(weight, statistics, goal, fallbacks);
  const std::vector<double> directions = output_directions(name, objective.target, objective.damped);
  LowRank result{Matrix(weight.rows, rank), Matrix(rank, weight.cols), 0.0};
  const std::vector<double> target(objective.target.values.begin(), objective.target.values.end());
  const std::vector<double> down = product(rank, weight.cols, weight.rows, directions, target);
  result.down.values.assign(down.begin(), down.end());
  for (size_t r = 0; r < weight.rows; ++r) {
    for (size_t k = 0; k < rank; ++k) result.up.row(r)[k] = static_cast<float>(directions[k * weight.rows + r]);
  }
  Matrix approximation(weight.rows, weight.cols);
  add_product(weight.rows, weight.cols, rank, 1.0f, {result.up.values.data(), rank}, false,
              {result.down.values.data(), weight.cols}, approximation.values.data(), weight.cols);
  result.relative_loss = objective.loss(approximation, false);
  return result;
}

}  // namespace lathe
