#pragma once
// The architectures that can be read. A new one is a file in architectures/ and a row in architectures.cpp.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compress/source/source_model.h"
#include "formats/huggingface/hf_config.h"
#include "formats/huggingface/sentence_transformers.h"

namespace lathe {

/// What an architecture is built from. The checkpoint is that of the model, which build() may replace by a converted
/// one.
struct ModelFolder {
  const Checkpoint& checkpoint;
  const ConfigFile& config;
  std::optional<SentenceTransformer> sentence_transformer;
};

/// How an encoder of an architecture becomes a classifier.
struct ClassifierHead {
  std::string_view class_name;  // in the field `architectures` of config.json
  /// Puts the head where pooling was: program, task and notes become those of a classifier. Weights that the
  /// checkpoint lacks come from the seed and stand in `derived`.
  void (*attach)(SourceModel& model, const std::vector<std::string>& labels, uint64_t seed);
  /// The name that a weight of the program has in a checkpoint of that class.
  std::string (*stored_name)(const std::string& weight);
};

struct Architecture {
  std::string_view model_type;  // of config.json
  /// Fills in program, task and notes. Names in the program are names of tensors in the model's checkpoint, whose
  /// shapes have been checked against the config, or of weights in `derived`.
  void (*build)(const ModelFolder& folder, SourceModel& model);
  /// Tensors of this architecture that inference does not need, for a model that build() gave this task.
  bool (*is_ignorable)(std::string_view tensor, const Task& task);
  const ClassifierHead* classifier;  // nullptr: it has none
};

std::span<const Architecture> architectures();
/// The row for the folder's model_type; throws Error{unsupported} listing the ones there are.
const Architecture& detect_architecture(const ConfigFile& config);

/// Throws Error{malformed} naming file and tensor unless the tensor is there, floating-point and of that shape.
void require_tensor(const Checkpoint& checkpoint, const std::string& name, const Shape& shape);
/// The function that hidden_act or activation_function names; throws Error{unsupported} naming the value.
ActivationFunction read_activation(const ConfigFile& config, ConfigFile::Names names);

namespace architectures_detail {
// Bounds of the fields of a config.
inline constexpr uint64_t kMaxLayers = 1000;
inline constexpr uint64_t kMaxHidden = 65536;
inline constexpr uint64_t kMaxVocabulary = uint64_t{1} << 24;
}  // namespace architectures_detail

}  // namespace lathe
