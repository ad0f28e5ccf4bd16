// compress inspect FILE: what is inside an artifact, or the files of a model.

#include <algorithm>
#include <array>
#include <map>

#include "cli/commands.h"
#include "cli/exit_codes.h"
#include "cli/inspect_source.h"
#include "cli/options.h"
#include "cli/text.h"
#include "compress/evaluation/describe.h"
#include "compress/facts/facts_json.h"
#include "compress/facts/number_text.h"
#include "formats/artifact/op_table.h"

namespace lathe::cli {
namespace {

// Everything that inspect shows, gathered once for text and JSON.
struct Contents {
  ModelReport facts;
  std::vector<std::pair<std::string, std::string>> task;
  std::vector<std::pair<std::string, uint64_t>> ops;  // in the order of first use
  std::map<std::string, std::string> kernels;         // by weight
  Json recipe;
  Json provenance;
  Json results;
};

// Weights with the same role, encoding and kernel.
struct Group {
  uint64_t tensors = 0;
  uint64_t weights = 0;
  uint64_t bytes = 0;
  double zeros = 0;
};
using GroupKey = std::array<std::string, 3>;

uint64_t count_of(const WeightFacts& weight) { return element_count(weight.shape, weight.name); }

double bits_per_weight(uint64_t bytes, uint64_t weights) {
  return weights == 0 ? 0 : 8.0 * static_cast<double>(bytes) / static_cast<double>(weights);
}

Contents gather(const std::string& file) {
  const TimedModel opened = open_timed(file);
  const Artifact& artifact = *opened.model.artifact();
  Contents contents;
  contents.facts = describe(opened, artifact.file().path());
  contents.task = task_fields(artifact);
  for (const Op& op : artifact.program().ops) {
    const std::string name = op_name(op.attributes);
    const auto at = std::find_if(contents.ops.begin(), contents.ops.end(),
                                 [&](const auto& counted) { return counted.first == name; });
    if (at == contents.ops.end()) {
      contents.ops.emplace_back(name, 1);
    } else {
      ++at->second;
    }
  }
  for (const KernelChoice& choice : opened.model.description().kernels) contents.kernels[choice.weight] = choice.kernel;
  contents.recipe = section_json(artifact, layout::Section::recipe, "recipe");
  contents.provenance = section_json(artifact, layout::Section::provenance, "provenance");
  contents.results = section_json(artifact, layout::Section::results, "results");
  return contents;
}

std::string kernel_of(const Contents& contents, const std::string& weight) {
  const auto at = contents.kernels.find(weight);
  return at == contents.kernels.end() ? "decoded at load" : at->second;
}

// The share of zeros, for roles that can be pruned.
std::string zeros_text(const std::string& role, double sparsity) {
  return role == "linear" || role == "head" ? fixed_text(100 * sparsity, 1) + " %" : std::string();
}

std::map<GroupKey, Group> group_weights(const Contents& contents) {
  std::map<GroupKey, Group> groups;
  for (const WeightFacts& weight : contents.facts.weights) {
    Group& group = groups[{weight.role, weight.encoding, kernel_of(contents, weight.name)}];
    const uint64_t count = count_of(weight);
    ++group.tensors;
    group.weights += count;
    group.bytes += weight.bytes;
    group.zeros += weight.sparsity * static_cast<double>(count);
  }
  return groups;
}

double mean_sparsity(const Group& group) {
  return group.weights == 0 ? 0 : group.zeros / static_cast<double>(group.weights);
}

Json to_json(const Contents& contents, bool with_tensors) {
  const ModelReport& facts = contents.facts;
  Json task = Json::object();
  for (const auto& [key, value] : contents.task) task.set(key, value);
  Json ops = Json::object();
  for (const auto& [name, count] : contents.ops) ops.set(name, count);
  Json sizes = Json::object();
  for (const SizeItem& item : facts.sizes) sizes.set(item.label, item.bytes);
  Json groups = Json::array();
  for (const auto& [key, group] : group_weights(contents)) {
    groups.push(Json::object({{"role", key[0]},
                              {"encoding", key[1]},
                              {"kernel", key[2]},
                              {"tensors", group.tensors},
                              {"weights", group.weights},
                              {"bytes", group.bytes},
                              {"sparsity", mean_sparsity(group)},
                              {"bits_per_weight", bits_per_weight(group.bytes, group.weights)}}));
  }
  Json out = Json::object({{"schema", kJsonSchema},
                           {"command", "inspect"},
                           {"file", facts.path},
                           {"bytes", facts.file_bytes},
                           {"parameters", facts.parameters},
                           {"bits_per_weight", bits_per_weight(facts.file_bytes, facts.parameters)},
                           {"isa", facts.isa},
                           {"load_ms", facts.load_ms},
                           {"task", task},
                           {"ops", ops},
                           {"sizes", sizes},
                           {"encodings", groups}});
  if (with_tensors) {
    Json tensors = Json::array();
    for (const WeightFacts& weight : facts.weights)
      tensors.push(weight_json(weight).set("kernel", kernel_of(contents, weight.name)));
    out.set("tensors", tensors);
  }
  return out.set("recipe", contents.recipe).set("provenance", contents.provenance).set("results", contents.results);
}

std::string indented(const std::string& text) {
  std::string out = "  ";
  for (const char c : text) out += c == '\n' ? std::string("\n  ") : std::string(1, c);
  return out + "\n";
}

std::string weight_tables(const Contents& contents, bool with_tensors) {
  std::vector<std::vector<std::string>> rows = {
      {"role", "encoding", "tensors", "weights", "zeros", "bits/weight", "bytes", "kernel here"}};
  for (const auto& [key, group] : group_weights(contents)) {
    rows.push_back({key[0], key[1], count_text(group.tensors), count_text(group.weights),
                    zeros_text(key[0], mean_sparsity(group)),
                    fixed_text(bits_per_weight(group.bytes, group.weights), 2), count_text(group.bytes), key[2]});
  }
  std::string out = "\nWeights\n" + table(rows, "llrrrrrl");
  if (!with_tensors) return out;
  rows = {{"tensor", "shape", "encoding", "zeros", "bits/weight", "bytes", "loss", "uncorrected", "method"}};
  for (const WeightFacts& weight : contents.facts.weights) {
    const auto loss = [](const std::optional<double>& value) { return value ? loss_text(*value) : std::string(); };
    rows.push_back({weight.name, shape_text(weight.shape), weight.encoding, zeros_text(weight.role, weight.sparsity),
                    fixed_text(weight.bits_per_weight, 2), count_text(weight.bytes), loss(weight.loss),
                    loss(weight.loss_uncorrected), weight.method});
  }
  return out + "\nTensors\n" + table(rows, "lllrrrrrl");
}

std::string to_text(const Contents& contents, bool with_tensors) {
  const ModelReport& facts = contents.facts;
  std::string out = facts.path + "\n";
  out += table(
      {{"size", message(bytes_text(facts.file_bytes), " (", count_text(facts.file_bytes), " bytes)")},
       {"parameters", count_text(facts.parameters)},
       {"bits per weight", fixed_text(bits_per_weight(facts.file_bytes, facts.parameters), 2) + " of the whole file"},
       {"kernels here", facts.isa},
       {"load", fixed_text(facts.load_ms, 1) + " ms"}},
      "ll");
  if (!contents.task.empty()) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& [key, value] : contents.task) rows.push_back({key, value});
    out += "\nTask\n" + table(rows, "ll");
  }
  std::vector<std::vector<std::string>> ops;
  for (const auto& [name, count] : contents.ops) ops.push_back({name, count_text(count)});
  out += "\nProgram\n" + table(ops, "lr");
  out += weight_tables(contents, with_tensors);
  std::vector<std::vector<std::string>> sizes;
  for (const SizeItem& item : facts.sizes) {
    const double share = 100 * static_cast<double>(item.bytes) / static_cast<double>(facts.file_bytes);
    sizes.push_back({item.label, count_text(item.bytes), fixed_text(share, 1) + " %"});
  }
  out += "\nBytes\n" + table(sizes, "lrr");
  if (!contents.recipe.is_null()) out += "\nRecipe\n" + indented(to_text(contents.recipe, 2));
  if (!contents.provenance.is_null()) out += "\nProvenance\n" + indented(to_text(contents.provenance, 2));
  return out;
}

}  // namespace

int inspect_command(const std::vector<std::string>& args) {
  std::vector<std::string> files;
  bool json = false;
  bool tensors = false;
  bool quiet = false;
  Options options("compress inspect", "FILE",
                  "Shows what an artifact holds: task, program, encodings with their real bits per weight, the kernels "
                  "that will run on this machine, where the bytes are, recipe and provenance. Of any other file or "
                  "folder that models are read from it lists the tensors, with their types and shapes, the files and "
                  "what is odd about them.");
  options.flag("tensors,t", "also each tensor, with the loss that compression measured", tensors)
      .flag("json", "one JSON object on standard output", json)
      .flag("quiet,q", "accepted like everywhere; this command has no progress", quiet)
      .operands(1, 1, files);
  if (!options.parse(args)) return kExitDone;
  if (is_source(files[0])) {
    const SourceListing listing = list_source(files[0]);
    if (json) {
      write_json(source_json(listing));
    } else {
      write_stdout(source_text(listing));
    }
    return kExitDone;
  }
  const Contents contents = gather(files[0]);
  if (json) {
    write_json(to_json(contents, tensors));
  } else {
    write_stdout(to_text(contents, tensors));
  }
  return kExitDone;
}

}  // namespace lathe::cli
