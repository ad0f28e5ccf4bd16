#pragma once
// Texts for distillation: files, labels, shuffling, the part held out.

#include "compress/source_model.h"
#include "compress/training.h"

namespace lathe {

/// Reads recipe.data_file: one text a line, or text TAB label where `model` classifies (the label is a name or number
/// of the model's, or an index). Shuffled by the seed, cut to recipe.length tokens, the share recipe.held_out (at
/// least 16 texts) kept apart. Throws Error{no_input, malformed}; fewer than kMinTrainingTexts texts are an error.
TrainingData make_training_data(const SourceModel& model, const TrainingRecipe& recipe);

}  // namespace lathe
