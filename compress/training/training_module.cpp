// Loads the training engine at run time, so that only a command that trains needs LibTorch.

#include "compress/training/training.h"
#include "runtime/dynamic_module.h"

namespace lathe {

std::unique_ptr<TrainingEngine> load_training_engine(TrainingDevice device) {
  void* entry = load_module_function("lathe-training.so", "lathe_make_training_engine",
                                     "training needs it; build Lathe with LibTorch (without -DLATHE_TORCH=OFF)");
  const auto make = reinterpret_cast<TrainingEngine* (*)(TrainingDevice)>(entry);
  return std::unique_ptr<TrainingEngine>(make(device));
}

}  // namespace lathe
