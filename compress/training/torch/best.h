#pragma once
// The weights with the lowest held-out loss that a stage of training has seen.

#include <vector>

#include "compress/training/torch/trainable.h"

namespace lathe::training {

struct BestWeights {
  double loss = 0;                 // held-out loss of these weights
  uint64_t step = 0;               // the number of optimizer steps that made them
  double pruning_progress = -1;    // how much of the pruning schedule was over; below 0: it had not begun
  uint64_t bad_checks = 0;         // held-out losses far above `loss` since these weights were kept
  std::vector<at::Tensor> values;  // of TrainableWeights::parameters(), in their order, on the CPU; empty: none yet

  bool exist() const { return !values.empty(); }
};

/// What a check of the held-out part measured, and at which point of the stage.
struct Check {
  double loss = 0;
  uint64_t step = 0;
  double pruning_progress = -1;
};

/// Keeps a copy of `weights` in `best` when their loss is the lowest, or when more of the pruning schedule is over than
/// for the weights kept so far, which lose too few weights to compare. A loss that is not a number is never the best.
/// Otherwise counts the check as a bad one when its loss is far above the lowest. Returns whether the weights were
/// kept.
bool keep_if_best(BestWeights& best, const Check& check, const TrainableWeights& weights);

/// Whether training has failed: too many checks were bad to go on.
bool has_diverged(const BestWeights& best);
/// How many times the lowest held-out loss makes a check a bad one; it is not when the loss is negligible.
inline constexpr double kBadCheckFactor = 2;

/// Puts the kept values back into `weights`, which have the same parameters.
void restore(const BestWeights& best, TrainableWeights& weights, ThreadPool& pool);

}  // namespace lathe::training
