#pragma once
// What a killed run needs to go on: the state of a stage as a safetensors file in the state folder.

#include <filesystem>
#include <optional>

#include "compress/training/torch/trainable.h"

namespace lathe::training {

struct TrainingState {
  uint64_t step = 0;
  bool finished = false;
  double seconds = 0;
  double best_loss = 0;
  double loss_sum = 0;  // since the last point of the curve
  uint64_t loss_count = 0;
  uint64_t bad_checks = 0;   // one after the other
  double pruned_share = -1;  // of the pruning schedule that is done; below 0: it has not begun
  double best_pruned_share = -1;
  TrainingCurve curve;           // its points, steps, tokens, best_step and outcome
  std::vector<at::Tensor> best;  // values of the parameters, on the CPU; empty: not yet
};

/// `folder`/<stage>.safetensors, with the spaces of the stage as hyphens.
std::filesystem::path state_file(const std::filesystem::path& folder, const std::string& stage);

/// Writes atomically: the file is the old state or the new one. Throws Error{cannot_create, io}.
void save_state(const std::filesystem::path& file, const std::string& fingerprint, const TrainingState& state,
                TrainableWeights& weights);

/// Fills in state and weights; false when there is no file. Throws Error{usage} when the state belongs to another run,
/// Error{malformed} when it does not fit.
bool load_state(const std::filesystem::path& file, const std::string& fingerprint, TrainingState& state,
                TrainableWeights& weights);

}  // namespace lathe::training
