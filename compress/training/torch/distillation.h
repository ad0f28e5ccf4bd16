#pragma once
// Training a whole student end to end, against its teacher and the labels of the texts.

#include "compress/training/torch/tensors.h"
#include "compress/training/training.h"

namespace lathe::training {

/// One stage of training, from its beginning or from the state that an earlier process left, to its end. See
/// TrainingEngine::distill.
TrainingCurve distill(TrainingJob& job, Progress& progress, const at::Device& device);

}  // namespace lathe::training
