#pragma once
// The executor for CUDA devices. It knows a device only through runtime/cuda/device.h.

#include <memory>
#include <string>

#include "runtime/cuda/device.h"
#include "runtime/executor.h"

namespace lathe::cuda {

/// Uploads the weights. `program` is valid. Throws Error{limit} when the device has no room, naming need and free, and
/// Error{unsupported} for a program that the kernels cannot run.
std::unique_ptr<Executor> make_executor(std::shared_ptr<Device> device, const Program& program,
                                        const WeightLookup& weights);

/// An executor on the first device of this machine, through the module that is loaded at run time. Throws
/// Error{unsupported} where there is no such device, driver or module.
std::unique_ptr<Executor> make_executor(const Program& program, const WeightLookup& weights);

/// The first device of this machine, shared by all models of the process. Throws what make_executor throws.
std::shared_ptr<Device> open_device();

/// "sm_90", of the first device of this machine. Throws what make_executor throws.
std::string instruction_set();
size_t free_bytes();
std::string instruction_set_of(const DeviceFacts& facts);

}  // namespace lathe::cuda
