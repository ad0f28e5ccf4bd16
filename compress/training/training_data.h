#pragma once
// Texts to train on: read, tokenized, shuffled, and one part held out.

#include <string>

#include "compress/source/source_model.h"
#include "compress/training/trained_texts.h"
#include "compress/training/training.h"
#include "formats/json.h"
#include "formats/text_file.h"

namespace lathe {

/// All that training and its proof need of the file of texts, which is read once.
struct TrainingTexts {
  TrainingData data;
  TrainedTexts trained;
  Json provenance;  // name, size and hash of the file
};

/// Reads one text a line, or text TAB label where `model` classifies (the label is a name of the model's, or an index).
/// Empty lines and repeated texts are left out. The texts are shuffled by the seed, and the share recipe.held_out (at
/// least kMinHeldOutTexts texts, at most kMaxHeldOutShare of them) is kept apart. Texts with labels are cut to
/// recipe.length tokens; others are joined with their neighbours and cut into sequences of many lengths. For a model
/// that generates, the file is one text, cut into windows of recipe.length tokens, which are shuffled and kept apart in
/// the same way. Throws Error{malformed}; fewer than kMinTrainingTexts different texts or windows are an error.
TrainingTexts read_training_texts(const SourceModel& model, const TrainingRecipe& recipe, const TextFile& file);

inline constexpr uint32_t kMinHeldOutTexts = 16;
inline constexpr double kMaxHeldOutShare = 0.25;

}  // namespace lathe
