#pragma once
// What a stage of training needs to resume after its process ended: a safetensors file in the state folder.

#include <filesystem>

#include "compress/training/torch/best.h"

namespace lathe::training {

struct TrainingState {
  uint64_t step = 0;             // optimizer steps taken
  bool finished = false;         // the stage is over; its best weights are final
  double seconds = 0;            // of training, by all processes that worked on the stage
  double loss_sum = 0;           // over the steps since the last check of the held-out part
  uint64_t loss_count = 0;       // how many steps that are
  double pruning_progress = -1;  // how much of the pruning schedule is over; below 0: it has not begun
  BestWeights best;
  TrainingCurve curve;  // only its points, tokens and outcome are stored
};

/// `folder`/<stage>.safetensors, with the spaces of the stage's name as hyphens.
std::filesystem::path state_file(const std::filesystem::path& folder, const std::string& stage);

/// Writes `state`, the parameters of `weights` with their moments, and the masks. Creates the folder. Readers find
/// either the file that was there before or the new one, never a part of it. Throws Error{cannot_create, io}.
void save_state(const std::filesystem::path& file, const std::string& fingerprint, const TrainingState& state,
                const TrainableWeights& weights);

/// Reads what save_state() wrote into `state` and `weights`; the caller refreshes the weights. Returns false, and
/// changes nothing, when there is no file. Throws Error{usage} when the state has another fingerprint and so belongs to
/// another run, and Error{malformed} when the file is damaged or does not fit the weights.
bool load_state(const std::filesystem::path& file, const std::string& fingerprint, TrainingState& state,
                TrainableWeights& weights);

}  // namespace lathe::training
