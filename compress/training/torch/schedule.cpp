#include "compress/training/torch/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lathe::training {
namespace {

constexpr double kCheckShare = 0.05;   // of the stage, between two measurements of the held-out part
constexpr double kPruningShare = 0.6;  // of the stage, after which the pruning schedule is over
constexpr double kPruningJump = 0.02;  // of the pruning schedule, between two choices of the weights to prune
constexpr double kLowestRate = 0.01;   // of the peak

// The peak rates by what trains. Adam moves every number by about the rate in each step, however large the loss is.
double default_rate(Trainable trainable) { return trainable == Trainable::norms ? 1e-3 : 1.5e-4; }

}  // namespace

TrainingSchedule make_schedule(const TrainingJob& job) {
  const TrainingRecipe& recipe = job.recipe;
  TrainingSchedule schedule;
  if (recipe.minutes > 0) {
    schedule.minutes = recipe.minutes;
  } else {
    schedule.steps = recipe.steps > 0 ? recipe.steps : kDefaultTrainingSteps;
  }
  schedule.peak_rate = recipe.learning_rate > 0 ? recipe.learning_rate : default_rate(recipe.trainable);
  schedule.peak_rate *= job.rate_factor;
  schedule.warmup = recipe.warmup;
  return schedule;
}

double share_done(const TrainingSchedule& schedule, uint64_t step, double seconds) {
  if (schedule.steps > 0) return static_cast<double>(step) / static_cast<double>(schedule.steps);
  return seconds / (60 * schedule.minutes);
}

double learning_rate(const TrainingSchedule& schedule, double share) {
  return schedule.peak_rate * warmup_cosine(share, schedule.warmup);
}

double warmup_cosine(double share, double warmup) {
  if (share < warmup) return std::max(kLowestRate, share / warmup);
  const double done = std::clamp((share - warmup) / std::max(1e-9, 1 - warmup), 0.0, 1.0);
  return kLowestRate + (1 - kLowestRate) * 0.5 * (1 + std::cos(std::numbers::pi * done));
}

bool is_check_due(const TrainingSchedule& schedule, uint64_t step, double share, double checked_share) {
  if (schedule.steps == 0) return share - checked_share >= kCheckShare;
  const auto steps = static_cast<double>(schedule.steps);
  const uint64_t every = std::max<uint64_t>(1, static_cast<uint64_t>(kCheckShare * steps));
  return step % every == 0;
}

double pruning_progress(double share) {
  return std::min(1.0, std::floor(share / kPruningShare / kPruningJump) * kPruningJump);
}

double cubic_sparsity(double target, double progress) { return target * (1 - std::pow(1 - progress, 3)); }

}  // namespace lathe::training
