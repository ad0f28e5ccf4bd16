#pragma once
// The TrainingEngine of LibTorch.

#include <memory>

#include "compress/training/training.h"

namespace lathe::training {

/// Throws Error{unsupported} when the device is not there.
std::unique_ptr<TrainingEngine> make_engine(TrainingDevice device);

}  // namespace lathe::training
