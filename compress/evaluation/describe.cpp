#include "compress/evaluation/describe.h"

#include <chrono>
#include <unordered_map>

#include "compress/source/source_model.h"
#include "formats/text.h"

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

}  // namespace

TimedModel open_timed(const std::filesystem::path& path, const MakeExecutor& make) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin = Clock::now();
  Model model = Model::open(path, make);
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
  report.device = opened.model.description().device_text();
  const Roles roles = weight_roles(artifact->program());
  for (const std::string& weight : artifact->program().weights) {
    const EncodedTensor& tensor = artifact->tensor(weight).tensor;
    report.weights.push_back(weight_facts(weight, tensor, role_of(roles, weight)));
    report.parameters += tensor.rows() * tensor.cols();
  }
  merge_results(*artifact, report.weights);
  return report;
}

Json section_json(const Artifact& artifact, Section which, const char* section_name) {
  const std::string text = artifact.section_text(which);
  return text.empty() ? Json() : parse_json(text, message(artifact.file().path(), ": ", section_name));
}

}  // namespace lathe
