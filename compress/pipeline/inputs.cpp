#include "compress/pipeline/inputs.h"

#include "compress/source/provenance.h"
#include "compress/training/training_data.h"

namespace lathe {
namespace {

// What calibration leaves of its text, without what is trained on. A window may begin and end within a line, so windows
// of the very file that is trained on prove nothing.
void leave_out_trained(const SourceModel& source, const TrainedTexts& trained, bool same_file, CalibrationText& text) {
  if (!source.task.generates()) {
    text.unused_lines = without_trained(source, trained, std::move(text.unused_lines));
    text.unused = "lines that neither calibration nor training used";
  } else {
    text.unused_windows = same_file ? TokenBatch() : without_trained(source, trained, text.unused_windows);
  }
}

}  // namespace

ResolvedInputs resolve_inputs(SourceModel source, Recipe recipe, TextFiles& files) {
  ResolvedInputs resolved;
  CompressionInputs& work = resolved.work;
  std::optional<TextFile> text;
  if (!recipe.calibration_file.empty()) {
    text = files.open(recipe.calibration_file);
    work.calibration_provenance = provenance_of_text(*text);
  }
  if (text || recipe.needs_samples()) {
    Samples samples = make_samples(source, {text, recipe.calibration_tokens, recipe.calibration_length, recipe.seed});
    resolved.calibration = std::move(samples.text);
    samples.text = {};
    if (recipe.recovery == Recovery::blocks) check_enough_to_reconstruct(samples);
    if (recipe.needs_samples()) work.samples = std::move(samples);
  }
  if (recipe.training.distills()) {
    const TextFile file = files.open(recipe.training.data_file);
    TrainingTexts training = read_training_texts(source, recipe.training, file);
    const bool same_file = text && file.content_hash() == resolved.calibration.content_hash;
    leave_out_trained(source, training.trained, same_file, resolved.calibration);
    work.training = std::move(training.data);
    work.training_provenance = std::move(training.provenance);
    resolved.trained = std::move(training.trained);
  }
  work.source = std::move(source);
  work.recipe = std::move(recipe);
  return resolved;
}

void load_engine(CompressionInputs& inputs) {
  instruction_set_of(inputs.recipe.calibration_device);  // throws where this machine cannot use it
  if (inputs.recipe.trains()) inputs.engine = load_training_engine(inputs.recipe.training.device);
}

Json provenance(const CompressionInputs& inputs) {
  Json json = provenance_of_source(inputs.source);
  if (!inputs.calibration_provenance.is_null()) json.set("calibration", inputs.calibration_provenance);
  if (!inputs.training_provenance.is_null()) json.set("training", inputs.training_provenance);
  return json;
}

SampleRequest made_up_proof(const Recipe& recipe) {
  constexpr uint32_t kTokens = 8192;
  return {std::nullopt, kTokens, recipe.calibration_length, recipe.seed + 1};
}

}  // namespace lathe
