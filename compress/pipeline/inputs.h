#pragma once
// Everything that a compression reads, opened, checked and tokenized once, before any work.

#include <memory>
#include <optional>

#include "compress/calibration/samples.h"
#include "compress/pipeline/recipe.h"
#include "compress/source/source_model.h"
#include "compress/training/trained_texts.h"
#include "compress/training/training.h"
#include "formats/json.h"
#include "formats/text_file.h"

namespace lathe {

struct CompressionInputs {
  SourceModel source;
  Recipe recipe;
  std::optional<Samples> samples;          // absent when the recipe needs none
  TrainingData training;                   // empty unless the recipe distills
  std::unique_ptr<TrainingEngine> engine;  // null unless the recipe trains and load_engine() was called
  Json calibration_provenance;             // of the calibration text; null without one
  Json training_provenance;                // of the training text; null without one
};

/// The inputs, and what their texts tell about which text may still prove the result.
struct ResolvedInputs {
  CompressionInputs work;
  CalibrationText calibration;
  std::optional<TrainedTexts> trained;  // absent unless the recipe distills
};

/// Reads the texts that the recipe names. No file is opened again afterwards, so it does not matter what happens to
/// them. Throws the errors of TextFile, make_samples() and read_training_texts().
ResolvedInputs resolve_inputs(SourceModel source, Recipe recipe, TextFiles& files);

/// Looks for the device that calibrates, and loads the training engine when the recipe trains. Throws
/// Error{unsupported} when there is none.
void load_engine(CompressionInputs& inputs);

/// Where the artifact comes from: source, calibration text and training text. Reads every file of the checkpoint.
Json provenance(const CompressionInputs& inputs);

/// Made-up sequences of another seed than the calibration's.
SampleRequest made_up_proof(const Recipe& recipe);

}  // namespace lathe
