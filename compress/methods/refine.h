#pragma once
// Descent from stored values: single weights move on their grid, and pairs of weights swap places in the mask, as long
// as the error of the layer's output falls.

#include "compress/methods/error_feedback.h"

namespace lathe {

struct DescentProblem {
  const Matrix& target;
  const std::vector<float>& gram;  // damped second moments of the inputs, [cols, cols]
  const Grid& grid;
  bool swap = false;  // the mask may change
  int rounds = 3;
};

/// Lowers tr((values - target) gram (values - target)^T), or leaves it as it is, up to rounding errors of float. Swaps
/// stay within a row. Where kept weights are zero, others of any row take their places in the mask in the end; the
/// number of weights that are not zero never exceeds the number that the mask kept.
void refine(const DescentProblem& problem, Candidate& candidate);

}  // namespace lathe
