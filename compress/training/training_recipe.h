#pragma once
// What the user asked for beyond one shot: smaller students, reconstruction of blocks, distillation.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compress/job/setting.h"
#include "formats/json.h"

namespace lathe {

/// blocks: block after block is tuned to give the outputs of the original.
enum class Recovery { none, blocks };
inline constexpr NamedValues<Recovery, 2> kRecoveries = {{{Recovery::none, "none"}, {Recovery::blocks, "blocks"}}};

/// What distillation changes: all kept weights, norms and biases, or low-rank adapters that are merged at the end.
enum class Trainable { all, norms, adapters };
inline constexpr NamedValues<Trainable, 3> kTrainables = {
    {{Trainable::all, "all"}, {Trainable::norms, "norms"}, {Trainable::adapters, "adapters"}}};

/// one_shot prunes before distillation; cubic removes weights little by little while it runs.
enum class PruneSchedule { one_shot, cubic };
inline constexpr NamedValues<PruneSchedule, 2> kPruneSchedules = {
    {{PruneSchedule::one_shot, "one-shot", "one_shot"}, {PruneSchedule::cubic, "cubic"}}};

/// Of the matrix products.
enum class TrainingPrecision { automatic, f32, bf16 };
inline constexpr NamedValues<TrainingPrecision, 3> kTrainingPrecisions = {
    {{TrainingPrecision::automatic, "auto"}, {TrainingPrecision::f32, "f32"}, {TrainingPrecision::bf16, "bf16"}}};

enum class TrainingDevice { automatic, cpu, cuda };
inline constexpr NamedValues<TrainingDevice, 3> kTrainingDevices = {
    {{TrainingDevice::automatic, "auto"}, {TrainingDevice::cpu, "cpu"}, {TrainingDevice::cuda, "cuda"}}};

struct TrainingRecipe {
  std::string data_file;  // one text a line, or text TAB label; empty: no distillation
  uint32_t steps = 0;     // optimizer steps; 0 with minutes 0: kDefaultTrainingSteps
  double minutes = 0;     // of wall time instead of steps; the bytes then depend on the machine's speed
  Trainable trainable = Trainable::all;
  uint32_t adapter_rank = 16;
  PruneSchedule schedule = PruneSchedule::one_shot;
  uint32_t batch = 12;       // texts of one optimizer step
  uint32_t length = 256;     // tokens of one text at most
  double learning_rate = 0;  // peak; 0: the default of what is trained
  double weight_decay = 0;
  double clip = 1.0;             // of the norm of the gradient; 0: none
  double warmup = 0.05;          // share of the steps
  double held_out = 0.05;        // share of the texts
  double temperature = 2;        // of the KL term
  double alpha = 0.7;            // weight of KL against cross-entropy
  double hidden_weight = 1;      // of the hidden-state term
  double relation_weight = 0.1;  // of the attention-relation term
  TrainingPrecision precision = TrainingPrecision::automatic;
  TrainingDevice device = TrainingDevice::automatic;
  uint64_t seed = 0;
  std::string state_folder;  // keeps what a killed run needs to go on; empty: nothing is kept

  bool distills() const { return !data_file.empty(); }
};
inline constexpr uint32_t kDefaultTrainingSteps = 300;
inline constexpr uint32_t kMinTrainingTexts = 64;  // fewer cannot be split into a part to train and one to check on

/// Everything that can be asked of training, one row each.
const std::vector<Setting<TrainingRecipe>>& training_settings();
/// Throws Error{bad_recipe} naming setting, value and bound.
void validate(const TrainingRecipe& recipe);
/// Keys in the order of training_settings(), without folders and without what does not change the result (the folder of
/// the state, the device "auto").
Json training_recipe_json(const TrainingRecipe& recipe);

}  // namespace lathe
