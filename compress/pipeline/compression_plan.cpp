#include "compress/pipeline/compression_plan.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "compress/facts/facts_json.h"
#include "compress/pipeline/layer_pattern.h"

namespace lathe {
namespace {

std::string pad(std::string text, size_t width) {
  text.resize(std::max(text.size() + 1, width), ' ');
  return text;
}

// A head is stored as a table is: its rows are the tokens, and it weighs on every logit.
bool is_table(WeightRole role) { return role == WeightRole::embedding || role == WeightRole::head; }

std::string table_remark(WeightRole role, const Recipe& recipe, const LayerRule* rule) {
  std::string remark = rule != nullptr ? "layer rule " + rule->pattern : "";
  const bool spared = recipe.prune > 0 || recipe.low_rank;
  if (role == WeightRole::head && spared) {
    remark += (remark.empty() ? "" : "; ") + std::string("the head: rounded like a table, neither pruned nor factored");
  }
  return remark;
}

WeightPlan plan_weight(const SourceModel& model, const Recipe& recipe, const std::string& name, WeightRole role,
                       const LayerRule* rule, bool constant) {
  WeightPlan plan;
  plan.name = name;
  plan.shape = model.weight(name).shape;
  plan.role = role;
  const uint64_t cols = plan.shape.back();
  const uint64_t rows = plan.shape.size() == 1 ? 1 : plan.shape[0];
  if (role == WeightRole::other) {  // half precision costs nothing beside quantized layers
    if (recipe.quant != "f32" && !constant) plan.encoding = {ValueType::f16, Sparsity::dense, 0};
    if (constant && recipe.quant != "f32") plan.remark = "f32: it is multiplied with positions";
    plan.bytes = predicted_bytes(plan.encoding, rows, cols, 0);
    return plan;
  }
  const std::string& asked_name = rule != nullptr ? rule->encoding : recipe.quant;
  Encoding asked = parse_encoding(asked_name, recipe.group);
  const bool untouched = is_table(role) || (recipe.prune == 0 && !recipe.low_rank);
  if (asked_name == "f32" && untouched) asked = model.weight(name).encoding;  // never wider than the source
  if (rule != nullptr) plan.remark = "layer rule " + rule->pattern;
  if (is_table(role)) {
    plan.remark = table_remark(role, recipe, rule);
    plan.encoding = asked;
    plan.bytes = predicted_bytes(asked, rows, cols, 0);
    return plan;
  }
  plan.sparsity = recipe.prune;
  plan.encoding = with_cheaper_sparsity(asked, cols, plan.sparsity);
  plan.bytes = predicted_bytes(plan.encoding, rows, cols, plan.sparsity);
  if (plan.sparsity > 0 && plan.encoding.sparsity == Sparsity::dense)
    plan.remark = "zeros stored: a mask would be larger";
  if (!recipe.low_rank) return plan;
  const uint32_t rank = *recipe.low_rank;
  if (uint64_t{rank} * (rows + cols) >= rows * cols) {
    plan.remark = message("not factored: rank ", rank, " would have more parameters");
    return plan;
  }
  plan.rank = rank;
  plan.encoding = with_cheaper_sparsity(asked, std::min<uint64_t>(rank, cols), plan.sparsity);
  plan.bytes = predicted_bytes(plan.encoding, rows, rank, plan.sparsity) +
               predicted_bytes(plan.encoding, rank, cols, plan.sparsity);
  return plan;
}

std::string distillation_sentence(const TrainingRecipe& training) {
  const uint32_t steps = training.steps == 0 ? kDefaultTrainingSteps : training.steps;
  std::string text = "distillation: " + (training.minutes > 0 ? to_text(Json(training.minutes)) + " minutes of steps"
                                                              : message(steps, " steps"));
  text += message(" of ", training.batch, " texts of at most ", training.length, " tokens of ",
                  std::filesystem::path(training.data_file).filename().string());
  constexpr const char* kWhat[] = {"; trains all kept weights", "; trains norms and biases",
                                   "; trains adapters, merged after, of rank "};
  text += kWhat[static_cast<size_t>(training.trainable)];
  if (training.trainable == Trainable::adapters) text += std::to_string(training.adapter_rank);
  if (training.schedule == PruneSchedule::cubic) text += "; prunes little by little while it trains";
  return text;
}

std::vector<std::string> training_sentences(const Recipe& recipe) {
  std::vector<std::string> sentences;
  if (recipe.student.any()) {
    sentences.push_back("student: " + student_text(recipe.student) +
                        "; made first from the weights listed here, which are those of the original");
  }
  if (recipe.recovery == Recovery::blocks) {
    sentences.push_back("recovery: block after block is tuned to give the outputs of the original");
  }
  if (recipe.training.distills()) sentences.push_back(distillation_sentence(recipe.training));
  return sentences;
}

}  // namespace

uint64_t CompressionPlan::bytes() const {
  uint64_t total = 0;
  for (const WeightPlan& weight : weights) total += weight.bytes;
  return total;
}

const WeightPlan& CompressionPlan::find(const std::string& name) const {
  for (const WeightPlan& weight : weights) {
    if (weight.name == name) return weight;
  }
  fail(Errc::internal, message("no plan for weight ", name));
}

uint64_t predicted_bytes(const Encoding& encoding, uint64_t rows, uint64_t cols, double sparsity) {
  uint64_t bytes = 0;
  for (const Plane plane : {Plane::row_scales, Plane::group_scales, Plane::mask}) {
    bytes += plane_bytes(encoding, rows, cols, plane);
  }
  if (encoding.sparsity == Sparsity::dense) return bytes + plane_bytes(encoding, rows, cols, Plane::values);
  const auto kept = static_cast<uint64_t>(std::llround((1 - sparsity) * static_cast<double>(rows * cols)));
  return bytes + packed_bytes(encoding.values, kept);
}

Encoding with_cheaper_sparsity(const Encoding& encoding, uint64_t cols, double sparsity) {
  Encoding masked = encoding;
  masked.sparsity = Sparsity::bitmask;
  // Compared over many rows, so that the rounding of one row's end does not decide.
  constexpr uint64_t kRows = 1024;
  const bool cheaper =
      predicted_bytes(masked, kRows, cols, sparsity) < predicted_bytes(encoding, kRows, cols, sparsity);
  return sparsity > 0 && cheaper ? masked : encoding;
}

CompressionPlan make_compression_plan(const SourceModel& model, const Recipe& recipe) {
  validate(recipe);
  CompressionPlan plan;
  plan.training = training_sentences(recipe);
  const auto roles = weight_roles(model.program);
  const auto constant = constant_weights(model.program);
  std::vector<LayerPattern> patterns;
  for (const LayerRule& rule : recipe.layers) patterns.emplace_back(rule.pattern);
  std::vector<bool> matched(recipe.layers.size(), false);
  for (const std::string& name : model.program.weights) {
    const LayerRule* rule = nullptr;
    for (size_t i = 0; i < recipe.layers.size(); ++i) {
      if (roles.at(name) == WeightRole::other || !patterns[i].matches(name)) continue;
      matched[i] = true;
      if (rule == nullptr) rule = &recipe.layers[i];
    }
    plan.weights.push_back(plan_weight(model, recipe, name, roles.at(name), rule, constant.contains(name)));
  }
  for (size_t i = 0; i < matched.size(); ++i) {
    if (!matched[i]) {
      const auto example = std::find_if(plan.weights.rbegin(), plan.weights.rend(),
                                        [](const WeightPlan& weight) { return weight.role != WeightRole::other; });
      fail(Errc::bad_recipe, message("layer pattern ", recipe.layers[i].pattern,
                                     " matches no linear or embedding weight; names look like ", example->name));
    }
  }
  return plan;
}

std::string plan_text(const CompressionPlan& plan) {
  std::string text =
      pad("weight", 52) + pad("shape", 16) + pad("encoding", 18) + pad("zeros", 8) + pad("rank", 6) + "bytes\n";
  for (const WeightPlan& w : plan.weights) {
    text += pad(w.name, 52) + pad(shape_text(w.shape), 16) + pad(encoding_name(w.encoding), 18) +
            pad(std::to_string(std::lround(w.sparsity * 100)) + " %", 8) +
            pad(w.rank == 0 ? "-" : std::to_string(w.rank), 6) + std::to_string(w.bytes) +
            (w.remark.empty() ? "" : "  (" + w.remark + ")") + "\n";
  }
  text += message("weights in all: ", plan.bytes(), " bytes\n");
  for (const std::string& sentence : plan.training) text += sentence + "\n";
  return text;
}

Json plan_json(const CompressionPlan& plan) {
  Json weights = Json::array();
  for (const WeightPlan& w : plan.weights) {
    Json shape = Json::array();
    for (const uint64_t dim : w.shape) shape.push(dim);
    weights.push(Json::object({{"name", w.name},
                               {"role", role_name(w.role)},
                               {"shape", shape},
                               {"encoding", encoding_name(w.encoding)},
                               {"sparsity", w.sparsity},
                               {"rank", w.rank},
                               {"bytes", w.bytes},
                               {"remark", w.remark}}));
  }
  return Json::object({{"schema", kJsonSchema},
                       {"bytes", plan.bytes()},
                       {"weights", weights},
                       {"training", strings_json(plan.training)}});
}

}  // namespace lathe
