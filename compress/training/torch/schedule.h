#pragma once
// How long a stage of training lasts, how its learning rate changes, when it measures the held-out part and how fast it
// prunes. All of it depends on the share of the stage that is done alone, so that a resumed run finds it again.

#include "compress/training/training.h"

namespace lathe::training {

struct TrainingSchedule {
  uint64_t steps = 0;    // optimizer steps of the stage; 0: it lasts `minutes` instead
  double minutes = 0;    // of wall time, summed over all processes that work on the stage
  double peak_rate = 0;  // learning rate at the end of the warm-up
  double warmup = 0;     // share of the stage during which the learning rate rises
};

/// The schedule of a distillation, from the job's recipe and, where the recipe leaves them open, from the defaults.
TrainingSchedule make_schedule(const TrainingJob& job);

/// The share of the stage that is done after `step` optimizer steps and `seconds` of training. The stage is over when
/// it reaches 1.
double share_done(const TrainingSchedule& schedule, uint64_t step, double seconds);

/// The learning rate when `share` of the stage is done.
double learning_rate(const TrainingSchedule& schedule, double share);
/// The learning rate as a factor of its peak: it rises linearly until `share` reaches `warmup`, then falls along half a
/// cosine to a hundredth.
double warmup_cosine(double share, double warmup);

/// Whether the held-out part is to be measured now, after `step` steps. `share` of the stage is done now, and
/// `checked_share` was done when the held-out part was last measured.
bool is_check_due(const TrainingSchedule& schedule, uint64_t step, double share, double checked_share);

/// How much of the pruning schedule is over when `share` of the stage is done, in [0, 1]. It moves in jumps, because
/// choosing the weights to prune takes time.
double pruning_progress(double share);
/// The sparsity of a weight that is to reach `target` at the end of the pruning schedule, of which `progress` is over:
/// target (1 - (1 - progress)^3) (Zhu and Gupta, "To prune, or not to prune", 2017).
double cubic_sparsity(double target, double progress);

}  // namespace lathe::training
