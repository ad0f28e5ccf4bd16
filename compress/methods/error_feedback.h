#pragma once
// Prunes and quantizes a weight column by column, where every column makes up for the errors of those before it.

#include <optional>

#include "compress/methods/grid.h"
#include "compress/methods/prune.h"

namespace lathe {

/// Stored values of a layer: every value is one that its grid holds, and zero where keep is 0.
struct Candidate {
  Matrix values;
  Mask keep;
};

/// The order in which columns are settled: as they stand, or those whose inputs have the largest second moment first.
enum class ColumnOrder { natural, by_energy };

struct ErrorFeedbackProblem {
  const Matrix& target;
  const std::vector<double>& gram;  // damped second moments of the inputs, [cols, cols]
  const Grid& grid;
  const Mask* keep = nullptr;  // the mask, if it is fixed
  uint64_t pruned = 0;         // otherwise the exact number of weights to remove
  ColumnOrder order = ColumnOrder::by_energy;
};

/// Empty when the gram matrix is not positive definite to working precision.
std::optional<Candidate> run_error_feedback(const ErrorFeedbackProblem& problem);

}  // namespace lathe
