#include "compress/export/huggingface/export_folder.h"

#include <algorithm>
#include <map>
#include <optional>

#include "compress/export/dense_weights.h"
#include "compress/source/source_model.h"
#include "formats/artifact/atomic_file.h"
#include "formats/artifact/mapped_file.h"
#include "formats/json.h"
#include "formats/safetensors/safetensors_writer.h"
#include "formats/text.h"

namespace lathe {
namespace {

using std::filesystem::path;

constexpr const char* kWeightsFile = "model.safetensors";
constexpr const char* kConfigFile = "config.json";
/// What a folder may have beside weights and config, and is copied.
constexpr const char* kCopiedFiles[] = {"tokenizer.json",
                                        "tokenizer_config.json",
                                        "special_tokens_map.json",
                                        "added_tokens.json",
                                        "vocab.txt",
                                        "vocab.json",
                                        "merges.txt",
                                        "chat_template.jinja",
                                        "chat_template.json",
                                        "generation_config.json",
                                        "modules.json",
                                        "config_sentence_transformers.json",
                                        "sentence_bert_config.json",
                                        "1_Pooling/config.json"};

std::vector<std::string> copied_files(const path& model) {
  std::vector<std::string> files;
  std::error_code ignored;
  for (const char* file : kCopiedFiles) {
    if (std::filesystem::is_regular_file(model / file, ignored)) files.emplace_back(file);
  }
  return files;
}

void copy_whole(const path& from, const path& to) {
  AtomicFile out(to);
  out.append(MappedFile(from).bytes());
  out.commit();
}

/// The config with f32 as the type of weights, which newer libraries load them in.
std::string config_text(const path& file) {
  Json config = read_json_file(file);
  for (const char* field : {"torch_dtype", "dtype"}) {
    if (config.find(field) != nullptr) config.set(field, "float32");
  }
  return to_text(config, 2) + "\n";
}

/// A tensor of the new file: a weight of the artifact, or one that is copied from the model.
struct Output {
  const DenseWeight* weight = nullptr;
  std::optional<TensorView> copied;
};

using Outputs = std::map<std::string, Output>;

[[noreturn]] void fail_other_model(const path& model, const std::string& name, const std::string& what) {
  fail(Errc::unsupported, message(model.string(), ": weight ", printable(name), " of the artifact ", what,
                                  ": the artifact was made of another model, or is a student of other sizes"));
}

Outputs match_weights(const SourceModel& source, const std::vector<DenseWeight>& weights) {
  Outputs outputs;
  const Checkpoint& checkpoint = *source.checkpoint;
  const std::set<std::string> constant = constant_weights(source.program);
  for (const DenseWeight& weight : weights) {
    if (constant.contains(weight.name)) continue;  // computed from the config
    if (!checkpoint.has(weight.name)) fail_other_model(source.path, weight.name, "is not there");
    const Shape& shape = checkpoint.tensor(weight.name).shape;
    if (shape != weight.shape) {
      fail_other_model(source.path, weight.name,
                       message("has shape ", shape_text(weight.shape), ", there it is ", shape_text(shape)));
    }
    outputs[weight.name].weight = &weight;
  }
  for (const std::string& name : source.program.weights) {
    if (outputs.contains(name) || constant.contains(name)) continue;
    fail(Errc::unsupported, message(source.path.string(), ": weight ", printable(name),
                                    " is not in the artifact, which is a student or was made of another model"));
  }
  for (const std::string& name : checkpoint.names()) {
    if (!outputs.contains(name)) outputs[name].copied = checkpoint.tensor(name);
  }
  return outputs;
}

void write_weights(const path& file, const Outputs& outputs) {
  std::map<std::string, SafetensorsTensor> tensors;
  for (const auto& [name, output] : outputs) {
    tensors[name] = output.weight != nullptr ? SafetensorsTensor{DType::f32, output.weight->shape}
                                             : SafetensorsTensor{output.copied->dtype, output.copied->shape};
  }
  const SafetensorsPlan plan = plan_safetensors(file.string(), tensors, {{"format", "pt"}});
  AtomicFile out(file);
  out.append(plan.head);
  for (const SafetensorsPlan::Place& place : plan.places) {
    const Output& output = outputs.at(place.name);
    if (output.weight == nullptr) {
      out.append(output.copied->bytes);
      continue;
    }
    output.weight->write([&](std::span<const float> row) { out.append(std::as_bytes(row)); });
  }
  out.commit();
}

}  // namespace

std::vector<path> folder_export_files(const path& model, const path& output) {
  std::vector<path> files = {output / kWeightsFile, output / kConfigFile};
  for (const std::string& file : copied_files(model)) files.push_back(output / file);
  return files;
}

FolderExport export_folder(const Artifact& artifact, const path& model, const path& output) {
  check_intact(artifact);
  const SourceModel source = open_source(model, false);
  const std::vector<DenseWeight> weights = dense_weights(artifact);
  const Outputs outputs = match_weights(source, weights);
  std::error_code error;
  std::filesystem::create_directories(output, error);
  if (error) fail(Errc::cannot_create, message(output.string(), ": cannot create folder: ", error.message()));
  FolderExport result;
  for (const std::string& file : copied_files(model)) {
    std::filesystem::create_directories((output / file).parent_path(), error);
    if (error) fail(Errc::cannot_create, message((output / file).string(), ": cannot create its folder"));
    copy_whole(model / file, output / file);
  }
  write_file(output / kConfigFile, config_text(model / kConfigFile));
  write_weights(output / kWeightsFile, outputs);
  for (const path& file : folder_export_files(model, output)) {
    result.files.push_back(file.lexically_relative(output).string());
    result.bytes += std::filesystem::file_size(file);
  }
  uint64_t copied = 0;
  for (const auto& [name, tensor] : outputs) ++(tensor.weight != nullptr ? result.tensors : copied);
  if (copied > 0) {
    result.notes.push_back(message(copied, copied == 1 ? " tensor is" : " tensors are", " copied from ", model.string(),
                                   ", because the artifact has no use for them"));
  }
  return result;
}

}  // namespace lathe
