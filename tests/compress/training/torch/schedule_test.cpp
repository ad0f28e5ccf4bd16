// How long a stage lasts, its learning rate, its checks and its pruning.

#include "compress/training/torch/schedule.h"

#include <catch2/catch.hpp>
#include <vector>

namespace lathe::training {
namespace {

TrainingJob job_with(uint32_t steps, double minutes) {
  TrainingJob job;
  job.recipe.steps = steps;
  job.recipe.minutes = minutes;
  return job;
}

TEST_CASE("a stage lasts the steps or the minutes of its recipe", "[compress][torch][schedule]") {
  const TrainingSchedule steps = make_schedule(job_with(40, 0));
  CHECK(steps.steps == 40);
  CHECK(share_done(steps, 10, 1e6) == 0.25);
  CHECK(share_done(steps, 40, 0) == 1);
  const TrainingSchedule minutes = make_schedule(job_with(40, 2));
  CHECK(minutes.steps == 0);
  CHECK(share_done(minutes, 1000, 30) == 0.25);
  CHECK(share_done(minutes, 0, 150) == 1.25);
  CHECK(make_schedule(job_with(0, 0)).steps == kDefaultTrainingSteps);
}

TEST_CASE("the peak rate is the recipe's or a default, times the factor of the job", "[compress][torch][schedule]") {
  TrainingJob job = job_with(10, 0);
  CHECK(make_schedule(job).peak_rate == 1.5e-4);
  job.recipe.trainable = Trainable::adapters;
  CHECK(make_schedule(job).peak_rate == 1.5e-4);
  job.recipe.trainable = Trainable::norms;
  CHECK(make_schedule(job).peak_rate == 1e-3);
  job.rate_factor = 0.5;
  CHECK(make_schedule(job).peak_rate == 5e-4);
  job.recipe.learning_rate = 0.25;
  job.recipe.warmup = 0.1;
  const TrainingSchedule schedule = make_schedule(job);
  CHECK(schedule.peak_rate == 0.125);
  CHECK(learning_rate(schedule, 0.1) == Approx(0.125));
  CHECK(learning_rate(schedule, 0.05) == Approx(0.0625));
}

TEST_CASE("the rate rises, then falls along half a cosine to a hundredth", "[compress][torch][schedule]") {
  CHECK(warmup_cosine(0, 0.1) == 0.01);
  CHECK(warmup_cosine(0.05, 0.1) == Approx(0.5));
  CHECK(warmup_cosine(0.1, 0.1) == Approx(1));
  CHECK(warmup_cosine(0.55, 0.1) == Approx(0.505));
  CHECK(warmup_cosine(1, 0.1) == Approx(0.01));
  CHECK(warmup_cosine(1.5, 0.1) == Approx(0.01));
  CHECK(warmup_cosine(0, 0) == 1);
  CHECK(warmup_cosine(1, 1) == 1);  // warm-up to the very end
  double before = 1;
  for (double share = 0.1; share < 1; share += 0.01) {
    CHECK(warmup_cosine(share, 0.1) <= before + 1e-12);
    before = warmup_cosine(share, 0.1);
  }
}

TEST_CASE("the held-out part is checked at every twentieth of the stage", "[compress][torch][schedule]") {
  const auto checks = [](const TrainingSchedule& schedule) {
    std::vector<uint64_t> at;
    for (uint64_t step = 1; step <= schedule.steps; ++step) {
      if (is_check_due(schedule, step, share_done(schedule, step, 0), 0)) at.push_back(step);
    }
    return at;
  };
  CHECK(checks(make_schedule(job_with(3, 0))) == std::vector<uint64_t>{1, 2, 3});
  CHECK(checks(make_schedule(job_with(100, 0))).size() == 20);
  CHECK(checks(make_schedule(job_with(100, 0))).front() == 5);
  const TrainingSchedule minutes = make_schedule(job_with(0, 10));
  CHECK_FALSE(is_check_due(minutes, 7, 0.34, 0.3));
  CHECK(is_check_due(minutes, 7, 0.36, 0.3));
}

TEST_CASE("pruning is over after six tenths of the stage and fast in the beginning", "[compress][torch][schedule]") {
  CHECK(pruning_progress(0) == 0);
  CHECK(pruning_progress(0.011) == 0);  // it moves in jumps
  CHECK(pruning_progress(0.013) == Approx(0.02));
  CHECK(pruning_progress(0.3) == Approx(0.5));
  CHECK(pruning_progress(0.6001) == 1);
  CHECK(pruning_progress(1) == 1);
  CHECK(cubic_sparsity(0.8, 0) == 0);
  CHECK(cubic_sparsity(0.8, 0.5) == Approx(0.7));
  CHECK(cubic_sparsity(0.8, 1) == 0.8);
}

}  // namespace
}  // namespace lathe::training
