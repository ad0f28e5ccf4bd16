#pragma once
// What a compressed layer should compute, and the one number by which every method is judged.

#include <string>
#include <vector>

#include "compress/methods/layer.h"
#include "compress/methods/matrix.h"

namespace lathe {

/// What the weight of one layer [rows, cols] is measured against.
struct LayerObjective {
  Matrix target;               // [rows, cols]: the weight that would be best if it could be stored as it is
  std::vector<double> spread;  // [cols, cols]: second moments of an input, about its mean where the bias takes up the
                               // mean error; empty: the identity
  std::vector<double> mean;    // [cols]: mean of an input where the bias takes up the mean error; otherwise empty
  std::vector<double> damped;  // [cols, cols]: spread with the damping on its diagonal; empty without statistics
  std::vector<float> importance;  // [cols]: diagonal of damped over its mean; empty without statistics
  double energy = 0;              // mean square of the target's output
  uint64_t dead_inputs = 0;       // inputs that were zero throughout calibration

  /// Mean squared error of the layer's output over the mean square of the target's. `corrected` says that the bias
  /// takes up the mean error. 0 when both vanish.
  double loss(const Matrix& values, bool corrected) const;
};

/// `statistics` may be null. The target is the weight itself unless the statistics have a cross_gram. Every deviation
/// is appended to `fallbacks`.
LayerObjective make_objective(const Matrix& weight, const InputStatistics* statistics, const LayerGoal& goal,
                              std::vector<std::string>& fallbacks);

/// Sets damped and importance: `damping` times the mean of spread's diagonal is added to the diagonal.
void damp(LayerObjective& objective, double damping);

/// Throws Error{malformed} naming the tensor, the first bad index and the number of bad values.
void require_finite(const std::string& name, const Matrix& weight);

/// The bias with which the layer's mean output is that of the original: bias + (sum of W y - sum of V x) / tokens,
/// where V are the stored values. `bias` may be empty.
std::vector<float> corrected_bias(const Matrix& weight, const Matrix& values, const std::vector<float>& bias,
                                  const InputStatistics& statistics);

}  // namespace lathe
