#pragma once
// Fine-tuning: an encoder becomes a classifier that learns from labelled texts, and is written as a model folder.

#include <filesystem>
#include <string>

#include "compress/source/source_model.h"
#include "compress/training/training.h"
#include "compress/training/training_data.h"
#include "formats/text_file.h"

namespace lathe {

/// The model folder as a classifier. One that is a classifier already keeps its labels. Any other gets a head with the
/// labels of `data` (lines of text TAB label), sorted; weights of the head that the checkpoint lacks are drawn by the
/// seed. Throws what open_source() and read_label_names() throw, and Error{unsupported} for an architecture without a
/// head.
SourceModel make_classifier(const std::filesystem::path& folder, const TextFile& data, uint64_t seed);

/// Trains all weights on `texts` in f32; afterwards they are in `classifier.derived`. A learning rate of 0 means
/// kFinetuneRate. Throws Error{interrupted} and the errors of the engine.
TrainingCurve finetune(SourceModel& classifier, TrainingRecipe recipe, const TrainingTexts& texts,
                       TrainingEngine& engine, Progress& progress, size_t threads);
inline constexpr double kFinetuneRate = 1e-4;

/// Writes config.json, model.safetensors (f32) and the tokenizer as Hugging Face's libraries read them, so that
/// open_source() gives the same model again. Files are replaced one by one, the config last.
void write_classifier(const SourceModel& classifier, const std::filesystem::path& folder);
/// Throws Error{usage} when `folder` is the model's own or holds anything but files that write_classifier() writes,
/// Error{cannot_create} when it cannot be made or written. Leaves no folder behind. Called before long work.
void check_classifier_folder(const SourceModel& classifier, const std::filesystem::path& folder);

}  // namespace lathe
