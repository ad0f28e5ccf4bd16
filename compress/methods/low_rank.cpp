// Low rank: the best product of two factors for the inputs that calibration saw.

#include <algorithm>

#include "compress/methods/linalg.h"
#include "compress/methods/objective.h"
#include "formats/artifact/error.h"

namespace lathe {
namespace {

// The principal directions of weight x, one in each row, for inputs x with this gram matrix (empty: the identity).
DoubleMatrix principal_directions(const std::string& name, const DoubleMatrix& weight,
                                  const std::vector<double>& gram) {
  const DoubleMatrix weighted =
      gram.empty() ? weight : DoubleMatrix(weight * square(gram, static_cast<size_t>(weight.cols())));
  std::optional<DoubleMatrix> directions = eigenvectors(weighted * weight.transpose());
  if (!directions) fail(Errc::internal, message("tensor ", name, ": no eigenvectors found"));
  return std::move(*directions);
}

// The directions of the output, the one with the most energy first, each a row of the result
// [min(rows, cols), rows]. The best approximation of rank k of the layer's output is its projection on the first k of
// them: a whitened SVD whose whitening factor is never inverted.
DoubleMatrix output_directions(const std::string& name, const Matrix& weight, const std::vector<double>& gram) {
  const DoubleMatrix values = view(weight).cast<double>();
  if (values.rows() <= values.cols()) return principal_directions(name, values, gram);
  // The outputs of a tall weight lie in the space of its columns, where the problem is smaller.
  const std::optional<DoubleMatrix> basis = orthonormal_columns(values);
  if (!basis) fail(Errc::internal, message("tensor ", name, ": no basis found"));
  return principal_directions(name, basis->transpose() * values, gram) * basis->transpose();
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
  const LayerObjective objective = make_objective(weight, statistics, goal, fallbacks);
  const DoubleMatrix directions =
      output_directions(name, objective.target, objective.damped).topRows(static_cast<Eigen::Index>(rank));
  LowRank result{Matrix(weight.rows, rank), Matrix(rank, weight.cols), 0.0};
  view(result.up) = directions.transpose().cast<float>();
  view(result.down) = (directions * view(objective.target).cast<double>()).cast<float>();
  Matrix approximation(weight.rows, weight.cols);
  view(approximation).noalias() = view(result.up) * view(result.down);
  result.relative_loss = objective.loss(approximation, false);
  return result;
}

InputStatistics statistics_after(const InputStatistics& inputs, const Matrix& exact, const Matrix& stored) {
  const DoubleMatrix original = view(exact).cast<double>();
  const DoubleMatrix compressed = view(stored).cast<double>();
  const DoubleMatrix right = square(inputs.gram, inputs.width) * compressed.transpose();
  InputStatistics outputs;
  outputs.tokens = inputs.tokens;
  outputs.width = exact.rows;
  const auto fill = [](std::vector<double>& values, const DoubleMatrix& from) {
    values.assign(from.data(), from.data() + from.size());
  };
  fill(outputs.gram, compressed * right);
  fill(outputs.cross_gram, original * right);
  fill(outputs.sum, compressed * vector_view(inputs.sum));
  fill(outputs.original_sum, original * vector_view(inputs.sum));
  return outputs;
}

}  // namespace lathe
