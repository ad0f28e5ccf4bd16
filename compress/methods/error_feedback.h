#pragma once
// Pruning and quantizing column by column, where every column makes up for the errors of those before it.

#include <optional>

#include "compress/methods/grid.h"
#include "compress/methods/prune.h"

namespace lathe {

/// A layer's weight on its way: every value is one its grid can hold, and zero where keep is 0.
struct Candidate {
  Matrix values;
  Mask keep;
};

enum class ColumnOrder { natural, by_energy };  // by_energy: the inputs with the largest second moment first

struct ErrorFeedbackTask {
  const Matrix& target;
  const std::vector<double>& gram;  // damped, [cols, cols]
  const Grid& grid;
  const Mask* keep = nullptr;  // given: the mask is fixed
  uint64_t pruned = 0;         // otherwise: exactly so many weights go
  ColumnOrder order = ColumnOrder::by_energy;
};

/// Empty when the gram matrix is not positive definite to working precision.
std::optional<Candidate> run_error_feedback(const ErrorFeedbackTask& task);

}  // namespace lathe
