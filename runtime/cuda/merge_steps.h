#pragma once
// Fewer kernels for the same work: a token that decodes is bound by the number of launches.

#include <vector>

#include "runtime/cuda/plan.h"

namespace lathe::cuda {

/// Joins steps with the one before them: an addition with the linear layer whose output it adds, the rounding of inputs
/// with the norm or the product that computes them, and an activation with the product that it gates. The bits of the
/// results stay. `readers` says how often each value is read; outputs of the program count twice.
std::vector<Step> merge_steps(const std::vector<Step>& steps, const std::vector<size_t>& readers);

/// Notes the ropes of queries which, with the next two steps, are one launch where keys go into a cache.
void mark_ropes_before_attention(std::vector<Step>& steps, const std::vector<size_t>& readers);

}  // namespace lathe::cuda
