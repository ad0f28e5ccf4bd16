#pragma once
// Second moments of activations, summed on a device.

#include <memory>

#include "runtime/cuda/device.h"
#include "runtime/moment_sum.h"

namespace lathe::cuda {

/// Throws Error{limit} naming need and free when [width, width] doubles do not fit.
std::unique_ptr<MomentSum> make_moment_sum(std::shared_ptr<Device> device, size_t width);

/// On the first device of this machine. Throws what open_device throws.
std::unique_ptr<MomentSum> make_moment_sum(size_t width);

}  // namespace lathe::cuda
