#pragma once
// Chooses the kernels of a linear layer by its format and by how many rows it gets.

#include <span>

#include "runtime/cuda/device.h"
#include "runtime/cuda/kernels/arguments.h"

namespace lathe::cuda {

/// With so few rows a layer is bound by reading its weight.
inline constexpr size_t kFewRows = 8;

/// Layers of few rows that read the same rows of x, in one launch; their weights have one format. At most
/// kMostSideBySide.
void launch_side_by_side(Queue& queue, std::span<const IntegerLinearArgs> layers);

/// `expanded` has room for the weight as dense int8, for many rows of other formats. `multiprocessors` is the device's.
void launch_linear(Queue& queue, const IntegerLinearArgs& args, unsigned char* expanded, unsigned multiprocessors);
void launch_linear(Queue& queue, const FloatLinearArgs& args);

}  // namespace lathe::cuda
