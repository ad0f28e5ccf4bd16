#pragma once
// Fine-tuning: an encoder becomes a classifier that learns from labelled texts, and is written as a model folder.

#include <filesystem>
#include <string>

#include "compress/source/source_model.h"
#include "compress/training/training.h"

namespace lathe {

/// The model folder as a classifier. One that is a classifier already keeps its labels. Any other gets a head with the
/// labels of `data_file` (lines of text TAB label), sorted; of the head, what the checkpoint lacks comes from the seed.
/// Throws what open_source() and read_label_names() throw, and Error{unsupported} for an architecture without a head.
SourceModel make_classifier(const std::filesystem::path& folder, const std::filesystem::path& data_file, uint64_t seed);

struct FinetuneResult {
  TrainingCurve curve;
  std::string data;  // description of the texts
};
/// Trains all weights on recipe.data_file in f32; afterwards they stand in `classifier.derived`. A learning rate of 0
/// means kFinetuneRate. Throws the errors of make_training_data() and Error{interrupted}.
FinetuneResult finetune(SourceModel& classifier, TrainingRecipe recipe, TrainingEngine& engine, Progress& progress,
                        size_t threads);
inline constexpr double kFinetuneRate = 1e-4;

/// Writes config.json, model.safetensors (f32) and the tokenizer as Hugging Face's libraries read them, so that
/// open_source() gives the same model again. Files are replaced one by one, the config last.
void write_classifier(const SourceModel& classifier, const std::filesystem::path& folder);
/// Throws Error{usage} when `folder` is the model's own or holds anything but files that write_classifier() writes,
/// Error{cannot_create} when it cannot be made or written. Leaves no folder behind. Called before long work.
void check_classifier_folder(const SourceModel& classifier, const std::filesystem::path& folder);

}  // namespace lathe
