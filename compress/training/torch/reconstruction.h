#pragma once
// Tuning one block of the student after the other to give the teacher's values (in the manner of BRECQ; Li et al.,
// 2021). It is cheap, needs no labels and keeps the gradients and optimizer state of one block only in memory.

#include "compress/training/torch/tensors.h"
#include "compress/training/training.h"

namespace lathe::training {

/// See TrainingEngine::reconstruct_blocks.
std::vector<TrainingCurve> reconstruct_blocks(TrainingJob& job, Progress& progress, const at::Device& device);

}  // namespace lathe::training
