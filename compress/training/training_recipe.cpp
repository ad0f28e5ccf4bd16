#include "compress/training/training_recipe.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "formats/artifact/error.h"
#include "formats/text.h"

namespace lathe {
namespace {

constexpr uint32_t kMaxSteps = 100'000'000;
constexpr uint32_t kMaxBatch = 65536;
constexpr uint32_t kMinLength = 3;  // a text has two special tokens
constexpr uint32_t kMaxLength = 65536;
constexpr uint32_t kMaxRank = 65536;
constexpr double kMinLearningRate = 1e-9;
constexpr double kMinMinutes = 0.001;
constexpr double kMaxMinutes = 60.0 * 24 * 365;
using R = TrainingRecipe;
const Need<R> kDistillation = {"--distill FILE", [](const R& r) { return r.distills(); }};
const Need<R> kAdapters = {"--distill FILE and --train adapters",
                           [](const R& r) { return r.distills() && r.trainable == Trainable::adapters; }};

// Whether the bytes depend on the machine's speed: then the recipe holds the minutes, and otherwise the steps.
bool is_timed(const R& r) { return r.minutes > 0; }

Setting<R> steps_setting() {
  Setting<R> row = {
      "steps", "N",          message("optimizer steps (default ", kDefaultTrainingSteps, ")"), SettingGroup::recovery,
      "steps", kDistillation};
  row = integer_setting(std::move(row), &R::steps, 1, kMaxSteps);
  row.json = [](const R& r) { return Json(r.steps == 0 ? kDefaultTrainingSteps : r.steps); };
  return std::move(row).written_if([](const R& r) { return !is_timed(r); });
}

Setting<R> learning_rate_setting() {
  Setting<R> row = {"learning-rate",
                    "X",
                    "at its peak (default: the rate of what is trained)",
                    SettingGroup::recovery_details,
                    "learning_rate",
                    kDistillation};
  row = number_setting(std::move(row), &R::learning_rate, kMinLearningRate, 1);
  row.json = [](const R& r) { return r.learning_rate > 0 ? Json(r.learning_rate) : Json("auto"); };
  return row;
}

std::vector<Setting<R>> goal_settings() {
  constexpr SettingGroup kGroup = SettingGroup::recovery;
  return {
      path_setting<R>({"distill", "FILE",
                       "train end to end to agree with the original: one text a line, or text TAB label for a "
                       "classifier",
                       kGroup, "data"},
                      &R::data_file)
          .written_if([](const R& r) { return r.distills(); }),
      steps_setting(),
      number_setting<R>({"minutes", "M", "train for this time instead; another run gives other bytes", kGroup,
                         "minutes", kDistillation},
                        &R::minutes, kMinMinutes, kMaxMinutes)
          .written_if(is_timed),
      choice_setting<R>({"train", "", "all kept weights, norms and biases, or low-rank adapters that are merged",
                         kGroup, "train", kDistillation},
                        &R::trainable, kTrainables.rows()),
      integer_setting<R>({"adapter-rank", "R", "rank of the adapters (default {})", kGroup, "adapter_rank", kAdapters},
                         &R::adapter_rank, 1, kMaxRank)
          .written_if([](const R& r) { return r.trainable == Trainable::adapters; }),
      choice_setting<R>({"prune-schedule", "", "cubic: remove weights little by little while training", kGroup,
                         "prune_schedule", kDistillation},
                        &R::schedule, kPruneSchedules.rows()),
  };
}

std::vector<Setting<R>> detail_settings() {
  const auto row = [](const char* name, const char* meta, const char* help, const char* key) {
    return Setting<R>{name, meta, help, SettingGroup::recovery_details, key, kDistillation};
  };
  return {
      integer_setting(row("batch", "N", "texts of one step (default {})", "batch"), &R::batch, 1, kMaxBatch),
      integer_setting(row("train-length", "N", "tokens of one text at most (default {})", "length"), &R::length,
                      kMinLength, kMaxLength),
      learning_rate_setting(),
      number_setting(row("weight-decay", "X", "of the optimizer (default {})", "weight_decay"), &R::weight_decay, 0, 1),
      number_setting(row("clip", "X", "largest norm of the gradient, 0 for none (default {})", "clip"), &R::clip, 0,
                     1e6),
      number_setting(row("warmup", "S", "share of the steps with a rising learning rate (default {})", "warmup"),
                     &R::warmup, 0, 1),
      number_setting(row("held-out", "S", "share of the texts to check on (default {})", "held_out"), &R::held_out, 0,
                     0.25),
      number_setting(row("temperature", "T", "of the class probabilities (default {})", "temperature"), &R::temperature,
                     0.01, 1000),
      number_setting(
          row("alpha", "X", "weight of the original's classes; the labels have the rest (default {})", "alpha"),
          &R::alpha, 0, 1),
      number_setting(row("hidden-weight", "X", "of the difference of hidden states (default {})", "hidden_weight"),
                     &R::hidden_weight, 0, 1e6),
      number_setting(row("relation-weight", "X", "of the difference of attention (default {})", "relation_weight"),
                     &R::relation_weight, 0, 1e6),
      choice_setting(row("precision", "", "of the matrix products", "precision"), &R::precision,
                     kTrainingPrecisions.rows()),
      choice_setting<R>({"device", "", "what to train on", SettingGroup::recovery_details, "device"}, &R::device,
                        kTrainingDevices.rows())
          .written_if([](const R& r) { return r.device != TrainingDevice::automatic; }),
      path_setting<R>({"resume", "DIR", "keep what is finished there, and go on from it if there is something",
                       SettingGroup::running},
                      &R::state_folder),
  };
}

}  // namespace

const std::vector<Setting<TrainingRecipe>>& training_settings() {
  static const std::vector<Setting<TrainingRecipe>> kSettings = [] {
    std::vector<Setting<TrainingRecipe>> settings = goal_settings();
    for (Setting<TrainingRecipe>& row : detail_settings()) settings.push_back(std::move(row));
    return settings;
  }();
  return kSettings;
}

void validate(const TrainingRecipe& recipe) {
  check_settings(training_settings(), recipe);
  if (recipe.steps != 0 && recipe.minutes != 0) {
    fail(Errc::bad_recipe, message("steps: ", recipe.steps, ", cannot go with minutes: ", to_text(Json(recipe.minutes)),
                                   "; only one of them ends the training"));
  }
  if (recipe.schedule == PruneSchedule::cubic && recipe.trainable != Trainable::all) {
    fail(Errc::bad_recipe, message("prune-schedule: cubic removes weights while the others make up for them, which "
                                   "needs train: all, not ",
                                   kTrainables.name(recipe.trainable)));
  }
}

Json training_recipe_json(const TrainingRecipe& recipe) {
  return settings_json(training_settings(), recipe).set("seed", recipe.seed);
}

}  // namespace lathe
