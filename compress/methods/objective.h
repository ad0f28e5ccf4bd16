#pragma once
// What a compressed layer should compute, and the one number by which every method is judged.

#include <string>
#include <vector>

#include "compress/methods/layer.h"
#include "compress/methods/matrix.h"

namespace lathe {

struct Objective {
  Matrix target;                  // [rows, cols]: the weight that would be best if it could be stored as it is
  std::vector<double> spread;     // second moments of one input, about its mean where there is one; empty = identity
  std::vector<double> mean;       // of one input, where the bias takes up the mean error; otherwise empty, taken as 0
  std::vector<double> damped;     // spread with the damping on its diagonal; empty without statistics
  std::vector<float> importance;  // [cols]: diagonal of damped over its mean; empty without statistics
  double energy = 0;              // mean square of the target's output
  uint64_t dead_inputs = 0;

  /// Mean squared error of the layer's output over its mean square; the bias is corrected or not. 0 when both vanish.
  double loss(const Matrix& values, bool corrected) const;
};

/// `statistics` may be null. The target is the weight itself where the statistics have no cross_gram. Every deviation
/// is appended to `fallbacks`.
Objective make_objective(const Matrix& weight, const InputStatistics* statistics, const LayerGoal& goal,
                         std::vector<std::string>& fallbacks);

/// Raises the damping of `objective` to `factor` times what the goal asked for.
void damp(Objective& objective, double damping);

/// Throws Error{malformed} naming the tensor, the first bad index and how many there are.
void require_finite(const std::string& name, const Matrix& weight);

/// The bias with which the layer's mean output is that of the original: bias + (sum of W y - sum of W' x) / tokens.
std::vector<float> corrected_bias(const Matrix& weight, const Matrix& values, const std::vector<float>& bias,
                                  const InputStatistics& statistics);

}  // namespace lathe
