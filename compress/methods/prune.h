#pragma once
// Which weights go.

#include <cstdint>
#include <vector>

#include "compress/methods/matrix.h"

namespace lathe {

/// One byte a weight, row-major; 1 keeps it.
using Mask = std::vector<uint8_t>;

/// round(sparsity * weights), half away from zero: the number of weights that go.
uint64_t pruned_count(double sparsity, uint64_t weights);

/// Clears exactly `count` entries of `keep` where `scores` is smallest (ties: the lower index first). A score that is
/// not a number counts as infinite.
void drop_smallest(const std::vector<float>& scores, uint64_t count, uint8_t* keep);

/// Keeps the largest weights of the whole matrix.
Mask magnitude_mask(const Matrix& weight, double sparsity);

}  // namespace lathe
