#include "compress/training/finetune.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "compress/source/architectures.h"
#include "compress/source/labelled_texts.h"
#include "compress/source/provenance.h"
#include "formats/artifact/atomic_file.h"
#include "formats/artifact/mapped_file.h"
#include "formats/safetensors/safetensors_writer.h"

namespace lathe {
namespace {

constexpr const char* kConfig = "config.json";
constexpr const char* kWeights = "model.safetensors";
constexpr std::array kTokenizerFiles = {"tokenizer.json", "tokenizer_config.json", "vocab.txt",
                                        "special_tokens_map.json", "added_tokens.json"};

const ClassifierHead& head_of(const SourceModel& model) {
  const ConfigFile config(model.path);
  const Architecture& architecture = detect_architecture(config);
  if (architecture.classifier == nullptr) {
    fail(Errc::unsupported,
         message(config.path(), ": models of type ", architecture.model_type, " cannot be made classifiers"));
  }
  return *architecture.classifier;
}

EncodedBuffer finite_weight(const SourceModel& model, const std::string& name) {
  const EncodedTensor tensor = model.weight(name);
  const std::vector<float> values = decode(tensor);
  if (!std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); })) {
    fail(Errc::malformed, message(model.path.string(), ": tensor ", name, " has values that are not finite"));
  }
  EncodedBuffer buffer = f32_buffer(tensor.shape, values);
  model.release(name);
  return buffer;
}

std::string fingerprint(const SourceModel& model, const TrainingRecipe& recipe, const TrainingTexts& texts) {
  Json labels = Json::array();
  for (const std::string& label : model.task.labels) labels.push(label);
  Json provenance = provenance_of_source(model);
  provenance.set("training", texts.provenance);
  return to_text(Json::object({{"stage", "fine-tuning"},
                               {"recipe", training_recipe_json(recipe)},
                               {"labels", std::move(labels)},
                               {"provenance", std::move(provenance)}}));
}

std::string config_text(const SourceModel& model, const ClassifierHead& head) {
  Json config = read_json_file(model.path / kConfig);
  Json names = Json::object();
  Json ids = Json::object();
  for (size_t i = 0; i < model.task.labels.size(); ++i) {
    names.set(std::to_string(i), model.task.labels[i]);
    ids.set(model.task.labels[i], i);
  }
  config.set("architectures", Json::array({Json(head.class_name)}));
  config.set("num_labels", model.task.labels.size());
  config.set("id2label", std::move(names));
  config.set("label2id", std::move(ids));
  config.set("problem_type", "single_label_classification");
  for (const char* type : {"torch_dtype", "dtype"}) {
    if (config.find(type) != nullptr) config.set(type, "float32");
  }
  return to_text(config, 2) + "\n";
}

// Makes a folder; while nothing is in it, it goes again with this object, and so do those above it that were made.
class NewFolder {
 public:
  explicit NewFolder(const std::filesystem::path& folder) {
    const std::filesystem::path whole = std::filesystem::absolute(folder).lexically_normal();
    std::error_code error;
    for (std::filesystem::path at = whole; !std::filesystem::exists(at, error) && at != at.parent_path();
         at = at.parent_path()) {
      made_.push_back(at);
    }
    std::filesystem::create_directories(whole, error);
    if (error) fail(Errc::cannot_create, message(folder.string(), ": cannot create folder: ", error.message()));
  }
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;
  ~NewFolder() {
    std::error_code not_empty;
    for (const std::filesystem::path& folder : made_) std::filesystem::remove(folder, not_empty);
  }

 private:
  std::vector<std::filesystem::path> made_;  // the innermost first
};

}  // namespace

SourceModel make_classifier(const std::filesystem::path& folder, const TextFile& data, uint64_t seed) {
  SourceModel model = open_source(folder, false);
  if (!model.task.classifies()) head_of(model).attach(model, read_label_names(data), seed);
  const auto shape_of = [&](const std::string& name) { return model.weight(name).shape; };
  validate(model.program, shape_of, folder.string());
  return model;
}

TrainingCurve finetune(SourceModel& classifier, TrainingRecipe recipe, const TrainingTexts& texts,
                       TrainingEngine& engine, Progress& progress, size_t threads) {
  if (recipe.learning_rate == 0) recipe.learning_rate = kFinetuneRate;
  TrainableModel student{classifier.program, {}};
  for (const std::string& name : classifier.program.weights) student.weights[name] = finite_weight(classifier, name);
  TrainingJob job;
  job.stage = "fine-tuning";
  job.student = &student;
  job.task = OutputKind::classification;
  job.data = &texts.data;
  job.recipe = recipe;
  job.fingerprint = fingerprint(classifier, recipe, texts);
  job.threads = threads;
  TrainingCurve curve = engine.distill(job, progress);
  classifier.derived = std::move(student.weights);
  return curve;
}

void write_classifier(const SourceModel& classifier, const std::filesystem::path& folder) {
  const ClassifierHead& head = head_of(classifier);
  const NewFolder made(folder);
  std::map<std::string, EncodedBuffer> converted;
  std::map<std::string, TensorView> tensors;
  for (const std::string& name : classifier.program.weights) {
    const EncodedBuffer& buffer = converted[name] = finite_weight(classifier, name);
    tensors[head.stored_name(name)] = {DType::f32, buffer.shape, buffer.planes[static_cast<size_t>(Plane::values)]};
  }
  write_safetensors(folder / kWeights, tensors, {{"format", "pt"}});
  for (const char* name : kTokenizerFiles) {
    if (!std::filesystem::exists(classifier.path / name)) continue;
    const MappedFile file(classifier.path / name);
    write_file(folder / name, {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()});
  }
  write_file(folder / kConfig, config_text(classifier, head));
}

void check_classifier_folder(const SourceModel& classifier, const std::filesystem::path& folder) {
  std::error_code error;
  if (std::filesystem::equivalent(folder, classifier.path, error)) {
    fail(Errc::usage, message(folder.string(), ": is the model that is trained; give another folder"));
  }
  const NewFolder made(folder);
  std::set<std::string> ours(kTokenizerFiles.begin(), kTokenizerFiles.end());
  ours.insert({kConfig, kWeights});
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!ours.contains(name)) {
      fail(Errc::usage, message(folder.string(), ": holds ", name,
                                ", which is no part of a model that is written "
                                "here: give a new folder"));
    }
  }
  check_writable(folder / kWeights);
}

}  // namespace lathe
