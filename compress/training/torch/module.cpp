// The entry point of the module that the command loads to train.

#include "compress/training/torch/engine.h"

/// The caller owns the engine. Throws what make_engine() throws.
extern "C" __attribute__((visibility("default"))) lathe::TrainingEngine* lathe_make_training_engine(
    lathe::TrainingDevice device) {
  return lathe::training::make_engine(device).release();
}
