#include "compress/evaluation/measure.h"

#include <charconv>
#include <chrono>
#include <cmath>
#include <unordered_map>

#include "compress/source/source_model.h"
#include "formats/text.h"
#include "runtime/generation.h"

namespace lathe {
namespace {

using layout::Section;
using Roles = std::map<std::string, WeightRole>;

WeightRole role_of(const Roles& roles, const std::string& name) {
  const auto at = roles.find(name);
  return at == roles.end() ? WeightRole::other : at->second;
}

WeightFacts weight_facts(const std::string& name, const EncodedTensor& tensor, WeightRole role) {
  WeightFacts facts;
  facts.name = name;
  facts.shape = tensor.shape;
  facts.role = role_name(role);
  facts.encoding = encoding_name(tensor.encoding);
  facts.bytes = tensor.bytes();
  const auto count = static_cast<double>(tensor.rows() * tensor.cols());
  if ((role == WeightRole::linear || role == WeightRole::head) && count > 0)
    facts.sparsity = static_cast<double>(count_zeros(tensor)) / count;
  if (count > 0) facts.bits_per_weight = 8.0 * static_cast<double>(facts.bytes) / count;
  return facts;
}

// Adds what the results section, {"layers":[...]}, knows of the weights.
void merge_results(const Artifact& artifact, std::vector<WeightFacts>& weights) {
  const Json results = section_json(artifact, Section::results, "results");
  if (results.is_null()) return;
  const std::string where = artifact.file().path() + ": results";
  std::unordered_map<std::string, const Json*> by_name;
  for (const Json& layer : results.at("layers", where).items(where + ": layers")) {
    by_name[layer.at("name", where + ": layer").as_string(where + ": name")] = &layer;
  }
  for (WeightFacts& facts : weights) {
    const auto at = by_name.find(facts.name);
    if (at == by_name.end()) continue;
    merge_weight_result(*at->second, where + ": layer " + facts.name, facts);
  }
}

Pooling pooling_named(const std::string& name, const Artifact& artifact) {
  for (const Pooling pooling : {Pooling::mean, Pooling::first, Pooling::max}) {
    if (name == pooling_name(pooling)) return pooling;
  }
  fail(Errc::malformed, message(artifact.file().path(), ": task: pooling \"", printable(name), "\" is not known"));
}

uint32_t whole_number(const std::string& value, const std::string& key, const Artifact& artifact) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size()) {
    fail(Errc::malformed, message(artifact.file().path(), ": task: ", key, " \"", printable(value),
                                  "\" is not a whole number below 2^32"));
  }
  return number;
}

double positive_number(const std::string& value, const std::string& key, const Artifact& artifact) {
  double number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || !(number >= 0) || !std::isfinite(number)) {
    fail(Errc::malformed,
         message(artifact.file().path(), ": task: ", key, " \"", printable(value), "\" is not a number of at least 0"));
  }
  return number;
}

void check_generator(const Program& program, const Artifact& artifact) {
  if (is_generator(program)) return;
  fail(Errc::malformed, message(artifact.file().path(), ": task: is for ", kGenerationTask,
                                ", but the program does not give logits for each token with causal attention"));
}

}  // namespace

TimedModel open_timed(const std::filesystem::path& path) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin = Clock::now();
  Model model = Model::open(path);
  return {std::move(model), std::chrono::duration<double, std::milli>(Clock::now() - begin).count()};
}

std::vector<SizeItem> size_items(const Artifact& artifact) {
  uint64_t values = 0, masks = 0, scales = 0, embeddings = 0, head = 0, other = 0;
  const Roles roles = weight_roles(artifact.program());
  for (const StoredTensor& stored : artifact.tensors()) {
    const EncodedTensor& tensor = stored.tensor;
    const WeightRole role = role_of(roles, stored.name);
    if (role == WeightRole::embedding) {
      embeddings += tensor.bytes();
    } else if (role == WeightRole::head) {
      head += tensor.bytes();
    } else if (role == WeightRole::other) {
      other += tensor.bytes();
    } else {
      values += tensor.plane(Plane::values).size();
      masks += tensor.plane(Plane::mask).size();
      scales += tensor.plane(Plane::row_scales).size() + tensor.plane(Plane::group_scales).size();
    }
  }
  const uint64_t tokenizer = artifact.section(Section::tokenizer).size();
  uint64_t sections = 0;
  for (const Section which :
       {Section::program, Section::task, Section::recipe, Section::provenance, Section::results}) {
    sections += artifact.section(which).size();
  }
  const uint64_t known = values + masks + scales + embeddings + head + other + tokenizer + sections;
  std::vector<SizeItem> items = {
      {"linear values", values},    {"masks", masks},
      {"scales", scales},           {"embeddings", embeddings},
      {"norms and biases", other},  {"tokenizer", tokenizer},
      {"other sections", sections}, {"index and padding", artifact.file().bytes().size() - known}};
  if (head > 0) items.insert(items.begin() + 4, {"head", head});
  return items;
}

ModelReport describe(const TimedModel& opened, const std::string& name) {
  const Artifact* artifact = opened.model.artifact();
  if (artifact == nullptr) fail(Errc::internal, "only a model that was opened from a file can be described");
  ModelReport report;
  report.name = name;
  report.path = artifact->file().path();
  report.file_bytes = artifact->file().bytes().size();
  report.sizes = size_items(*artifact);
  report.load_ms = opened.load_ms;
  report.isa = opened.model.description().instruction_set;
  const Roles roles = weight_roles(artifact->program());
  for (const std::string& weight : artifact->program().weights) {
    const EncodedTensor& tensor = artifact->tensor(weight).tensor;
    report.weights.push_back(weight_facts(weight, tensor, role_of(roles, weight)));
    report.parameters += tensor.rows() * tensor.cols();
  }
  merge_results(*artifact, report.weights);
  return report;
}

std::vector<std::pair<std::string, std::string>> task_fields(const Artifact& artifact) {
  std::vector<std::pair<std::string, std::string>> fields;
  const std::string text = artifact.section_text(Section::task);
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    if (line.empty()) continue;
    const size_t equals = line.find('=');
    if (equals == std::string::npos || equals == 0 || !is_utf8(line)) {
      fail(Errc::malformed, message(artifact.file().path(), ": task: line \"", printable(line), "\" is not key=value"));
    }
    fields.emplace_back(line.substr(0, equals), line.substr(equals + 1));
  }
  return fields;
}

Task stored_task(const Artifact& artifact) {
  const Program& program = artifact.program();
  Task task;
  task.kind = kEmbeddingTask;
  task.dimension = program.values[program.outputs[0]].shape.size();
  for (const auto& [key, value] : task_fields(artifact)) {
    if (key == "kind") task.kind = value;
    if (key == "pooling") task.pooling = pooling_named(value, artifact);
    if (key == "normalize") task.normalize = value == "1";
    if (key == "architecture") task.architecture = value;
    if (key == "context") task.context = whole_number(value, key, artifact);
    if (key == "rope_theta") task.rope_theta = positive_number(value, key, artifact);
    if (key == message("label.", task.labels.size())) task.labels.push_back(value);
  }
  if (task.generates()) check_generator(program, artifact);
  if (task.classifies()) {
    const std::string where = artifact.file().path() + ": task";
    check_labels(task.labels, where);
    if (task.labels.size() != task.dimension) {
      fail(Errc::malformed, message(where, ": has ", task.labels.size(), " labels from label.0 on, the program gives ",
                                    task.dimension, " numbers for a text"));
    }
  }
  return task;
}

TokenizerSpec stored_tokenizer(const Artifact& artifact) {
  const Bytes section = artifact.section(Section::tokenizer);
  if (section.empty()) {
    fail(Errc::unsupported, artifact.file().path() + ": has no tokenizer, so it cannot read text");
  }
  return decode_tokenizer(section, artifact.file().path());
}

Json section_json(const Artifact& artifact, Section which, const char* section_name) {
  const std::string text = artifact.section_text(which);
  return text.empty() ? Json() : parse_json(text, message(artifact.file().path(), ": ", section_name));
}

}  // namespace lathe
