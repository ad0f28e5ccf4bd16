// What the command finds when it loads the training engine.

#include "compress/training/torch/engine.h"

/// Ownership goes to the caller. Throws like make_engine.
extern "C" __attribute__((visibility("default"))) lathe::TrainingEngine* lathe_make_training_engine(
    lathe::TrainingDevice device) {
  return lathe::training::make_engine(device).release();
}
