#pragma once
// Chooses the weights that become zero, by scores.

#include <cstdint>
#include <vector>

#include "compress/methods/matrix.h"

namespace lathe {

/// One byte for each weight, row-major: 1 keeps it, 0 makes it zero.
using Mask = std::vector<uint8_t>;

/// The number of weights to remove: round(sparsity * weights), half away from zero. Throws Error{usage} for a sparsity
/// outside [0, 1].
uint64_t pruned_count(double sparsity, uint64_t weights);

/// Clears exactly `count` entries of `keep`, those with the smallest scores; among equal scores the lower index goes
/// first. `keep` has one entry for each score. A score that is not a number counts as infinite.
void drop_smallest(const std::vector<float>& scores, uint64_t count, uint8_t* keep);

/// Keeps the largest weights of the whole matrix.
Mask magnitude_mask(const Matrix& weight, double sparsity);

}  // namespace lathe
