#include "compress/pipeline/recipe.h"

#include <array>
#include <charconv>
#include <filesystem>

namespace lathe {
namespace {

constexpr std::array<const char*, 3> kMethods = {"automatic", "magnitude_or_nearest", "error_feedback"};
constexpr uint32_t kMaxGroup = 65536;
constexpr uint32_t kMaxLowRank = 65536;

void validate_training(const Recipe& recipe) {
  validate(recipe.training);
  if (recipe.recovery == Recovery::blocks && !recipe.compresses()) {
    fail(Errc::bad_recipe, "recover: blocks, but nothing is compressed: add prune, quant, low-rank or a student");
  }
  if (recipe.training.distills() && !recipe.compresses()) {
    fail(Errc::bad_recipe,
         "distill: the student would be its own teacher: add prune, quant, low-rank or a smaller student");
  }
  if (recipe.training.schedule != PruneSchedule::cubic) return;
  if (recipe.prune == 0 || !recipe.training.distills()) {
    fail(Errc::bad_recipe, message("prune-schedule: cubic prunes while it distills, which needs ",
                                   recipe.prune == 0 ? "prune above 0" : "distill"));
  }
  if (recipe.low_rank) {
    fail(Errc::bad_recipe, "prune-schedule: cubic cannot go with low-rank: the factors replace the weights it prunes");
  }
}

}  // namespace

bool Recipe::needs_statistics() const {
  const bool prunes = prune > 0 && prune_method != MethodChoice::magnitude_or_nearest;
  const bool quantizes = quant_method != MethodChoice::magnitude_or_nearest && (quant == "int8" || quant == "int4");
  return prunes || quantizes || low_rank.has_value() || !layers.empty();
}

Encoding parse_encoding(const std::string& text, uint32_t default_group) {
  if (text == "f32") return {};
  if (text == "f16") return {ValueType::f16, Sparsity::dense, 0};
  if (text == "int8") return {ValueType::int8, Sparsity::dense, 0};
  if (text == "int4") return {ValueType::int4, Sparsity::dense, default_group};
  constexpr std::string_view kGrouped = "int4/";
  if (text.substr(0, kGrouped.size()) == kGrouped) {
    uint32_t group = 0;
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data() + kGrouped.size(), end, group);
    if (parsed.ec == std::errc() && parsed.ptr == end && group >= 1 && group <= kMaxGroup) {
      return {ValueType::int4, Sparsity::dense, group};
    }
  }
  fail(Errc::bad_recipe,
       message("encoding ", text, ": expected f32, f16, int8, int4 or int4/GROUP with GROUP in [1, ", kMaxGroup, "]"));
}

void validate(const Recipe& recipe) {
  if (!(recipe.prune >= 0 && recipe.prune < 1)) {
    fail(Errc::bad_recipe, message("prune: ", recipe.prune, ", must be in [0, 1)"));
  }
  if (recipe.group < 1 || recipe.group > kMaxGroup) {
    fail(Errc::bad_recipe, message("group: ", recipe.group, ", must be in [1, ", kMaxGroup, "]"));
  }
  if (recipe.input_bits != 0 && recipe.input_bits != 8 && recipe.input_bits != 16) {
    fail(Errc::bad_recipe, message("input_bits: ", recipe.input_bits, ", must be 8, 16 or 0 (automatic)"));
  }
  parse_encoding(recipe.quant, recipe.group);
  for (const LayerRule& rule : recipe.layers) parse_encoding(rule.encoding, recipe.group);
  if (recipe.low_rank && (*recipe.low_rank < 1 || *recipe.low_rank > kMaxLowRank)) {
    fail(Errc::bad_recipe, message("low-rank: ", *recipe.low_rank, ", must be in [1, ", kMaxLowRank, "]"));
  }
  if (recipe.calibration_length < 3 || recipe.calibration_length > 65536) {
    fail(Errc::bad_recipe, message("calibration-length: ", recipe.calibration_length, ", must be in [3, 65536]"));
  }
  if (recipe.prune_scope == PruneScope::global && recipe.low_rank) {
    fail(Errc::bad_recipe, "prune-scope global cannot go with low-rank: the factors replace the weights it compares");
  }
  if (recipe.prune_scope == PruneScope::global && recipe.prune_method == MethodChoice::error_feedback) {
    fail(Errc::bad_recipe, "prune-scope global chooses by magnitude; it cannot go with prune-method error-feedback");
  }
  validate_training(recipe);
}

Json recipe_json(const Recipe& recipe) {
  Json layers = Json::array();
  for (const LayerRule& rule : recipe.layers) {
    layers.push(Json::object({{"pattern", rule.pattern}, {"encoding", rule.encoding}}));
  }
  const std::string file = std::filesystem::path(recipe.calibration_file).filename().string();
  Json json = Json::object({{"prune", recipe.prune},
                            {"prune_method", kMethods[static_cast<size_t>(recipe.prune_method)]},
                            {"prune_scope", recipe.prune_scope == PruneScope::layer ? "layer" : "global"},
                            {"quant", recipe.quant},
                            {"group", recipe.group},
                            {"quant_method", kMethods[static_cast<size_t>(recipe.quant_method)]},
                            {"low_rank", recipe.low_rank ? Json(*recipe.low_rank) : Json()},
                            {"layers", layers},
                            {"calibration", file.empty() ? Json("synthetic") : Json(file)},
                            {"calibration_tokens", recipe.calibration_tokens},
                            {"calibration_length", recipe.calibration_length},
                            {"seed", recipe.seed},
                            {"strict", recipe.strict}});
  // Only what is used, so that a compression without it keeps its bytes.
  if (recipe.input_bits != 0) json.set("input_bits", recipe.input_bits);
  if (recipe.student.any()) json.set("student", student_text(recipe.student));
  if (recipe.recovery == Recovery::blocks) json.set("recovery", "blocks");
  if (recipe.trains()) json.set("training", training_recipe_json(recipe.training));
  return json;
}

}  // namespace lathe
