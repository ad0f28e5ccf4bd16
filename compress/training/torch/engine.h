#pragma once
// The TrainingEngine of LibTorch.

#include <memory>

#include "compress/training/training.h"

namespace lathe::training {

/// The engine on this device; "automatic" is CUDA where there is a CUDA device, and the CPU elsewhere. Throws
/// Error{unsupported} when the machine has no such device.
std::unique_ptr<TrainingEngine> make_engine(TrainingDevice device);

}  // namespace lathe::training
