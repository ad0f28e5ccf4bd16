#pragma once
// Texts for distillation: files, labels, shuffling, the part held out.

#include <string>
#include <string_view>
#include <vector>

#include "compress/source/source_model.h"
#include "compress/training/training.h"

namespace lathe {

/// Reads recipe.data_file: one text a line, or text TAB label where `model` classifies (the label is a name of the
/// model's, or an index). Empty lines and texts that were there before are left out. Shuffled by the seed; the share
/// recipe.held_out (at least 16 texts, at most a quarter) is kept apart. Texts with labels are cut to recipe.length
/// tokens; others are joined with their neighbours and cut into sequences of many lengths. For a model that generates,
/// the file is one text, cut into windows of recipe.length tokens, which are shuffled and kept apart in the same way.
/// Throws Error{no_input, malformed}; fewer than kMinTrainingTexts different texts or windows are an error.
TrainingData make_training_data(const SourceModel& model, const TrainingRecipe& recipe);

/// What is left of `texts` without those that are trained on; the held-out part is not. In the same order. Same errors.
/// For a model that generates, without the lines of the whole file; lines of less than 40 bytes do not count.
std::vector<std::string> without_training_texts(const SourceModel& model, const TrainingRecipe& recipe,
                                                std::vector<std::string> texts);

/// Throws Error{usage} when any of `texts`, which prove the result and come from `proof_file`, is also in
/// recipe.data_file: what is trained on proves nothing. Spaces around texts do not count, and for a model that
/// generates lines of less than 40 bytes. Nothing without a data_file.
void check_proof_is_unseen(const SourceModel& model, const TrainingRecipe& recipe, std::string_view proof_file,
                           const std::vector<std::string>& texts);

inline constexpr uint32_t kMinHeldOutTexts = 16;
inline constexpr double kMaxHeldOutShare = 0.25;

}  // namespace lathe
