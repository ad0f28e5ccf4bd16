#pragma once
// Descent on a compressed weight as it is: single weights move on their grid, and pairs of weights swap places in the
// mask, as long as the error of the layer's output falls.

#include "compress/methods/error_feedback.h"

namespace lathe {

struct RefineTask {
  const Matrix& target;
  const std::vector<float>& gram;  // damped, [cols, cols]
  const Grid& grid;
  bool swap = false;  // the mask may change; every row keeps the number of its weights
  int rounds = 3;
};

/// Lowers tr((values - target) gram (values - target)^T), up to rounding errors of float.
void refine(const RefineTask& task, Candidate& candidate);

}  // namespace lathe
