#include "compress/pipeline/recipe.h"

#include <algorithm>

#include "compress/calibration/samples.h"
#include "formats/text.h"

namespace lathe {
namespace {

constexpr double kMaxPrune = 0.99;
constexpr uint32_t kMaxGroup = 65536;
constexpr uint32_t kMaxLowRank = 65536;
constexpr uint32_t kMinCalibrationLength = 3;  // a sample has two special tokens
constexpr uint32_t kMaxCalibrationLength = 65536;
constexpr uint32_t kMaxCalibrationTokens = 10'000'000;
constexpr NamedValue<uint32_t> kInputBitsRows[] = {{0, "auto"}, {8, "8"}, {16, "16"}};
constexpr std::span<const NamedValue<uint32_t>> kInputBits = kInputBitsRows;

using R = Recipe;

// Whether `test` holds for the text of an encoding that the recipe names.
template <class Test>
bool any_encoding(const R& r, Test test) {
  return test(r.quant) ||
         std::any_of(r.layers.begin(), r.layers.end(), [&](const LayerRule& rule) { return test(rule.encoding); });
}

const Need<R> kPruning = {"--prune S", [](const R& r) { return r.prune > 0; }};
const Need<R> kQuantizing = {"int8 or int4 in --quant or --layer", [](const R& r) { return r.quantizes(); }};
const Need<R> kDefaultGroupUse = {"int4 in --quant or --layer, without a group of its own", [](const R& r) {
                                    return any_encoding(r, [](const std::string& text) { return text == "int4"; });
                                  }};

Fault read_layer_rule(R& r, const std::string& text) {
  const size_t equals = text.rfind('=');
  if (equals == std::string::npos) return message("\"", printable(text), "\" is not PATTERN=ENCODING");
  r.layers.push_back({text.substr(0, equals), text.substr(equals + 1)});
  return {};
}

Json layers_json(const R& r) {
  Json layers = Json::array();
  for (const LayerRule& rule : r.layers) {
    layers.push(Json::object({{"pattern", rule.pattern}, {"encoding", rule.encoding}}));
  }
  return layers;
}

Setting<R> quant_setting() {
  Setting<R> row = {"quant", "ENC", "f32, f16, bf16, int8 or int4; embeddings too", SettingGroup::methods, "quant"};
  row.read = [](R& r, const std::string& text) {
    r.quant = text;
    return Fault();
  };
  row.json = [](const R& r) { return Json(r.quant); };
  return row;
}

Setting<R> layer_setting() {
  Setting<R> row = {"layer", "PATTERN=ENC", "another encoding for weights of that name, or 're:...'; repeatable",
                    SettingGroup::methods, "layers"};
  row.repeatable = true;
  row.read = read_layer_rule;
  row.json = layers_json;
  return row;
}

Setting<R> input_bits_setting() {
  Setting<R> row = {"input-bits",
                    "",
                    "activation bits of int8 and int4 layers; auto uses 16 where a decoder needs them",
                    SettingGroup::methods,
                    "input_bits",
                    kQuantizing};
  row = choice_setting(std::move(row), &R::input_bits, kInputBits);
  row.check = [](const R& r) {
    const bool valid = find_name(kInputBits, r.input_bits) != nullptr;
    return valid ? Fault() : message(r.input_bits, ", must be 8, 16 or 0 (auto)");
  };
  row.json = [](const R& r) { return Json(r.input_bits); };
  return std::move(row).written_if([](const R& r) { return r.input_bits != 0; });
}

Setting<R> student_setting() {
  Setting<R> row = {"student", "SPEC", "a smaller model first: layers=N[:importance], heads=N, neurons=N, embedding=N",
                    SettingGroup::methods, "student"};
  row.read = [](R& r, const std::string& text) {
    r.student = parse_student(text);
    return Fault();
  };
  row.json = [](const R& r) { return Json(student_text(r.student)); };
  return std::move(row).written_if([](const R& r) { return r.student.any(); });
}

Setting<R> calibration_setting() {
  Setting<R> row = {"calibrate", "FILE",
                    "text, one sample a line, or of a decoder one text; without it samples are made up",
                    SettingGroup::calibration, "calibration"};
  row = path_setting(std::move(row), &R::calibration_file);
  row.json = [named = row.json](const R& r) { return r.calibration_file.empty() ? Json("synthetic") : named(r); };
  return row;
}

Setting<R> calibration_tokens_setting() {
  Setting<R> row = {"calibration-tokens", "N", "tokens to use (default 24576, of a decoder 32768)",
                    SettingGroup::calibration, "calibration_tokens"};
  row = integer_setting(std::move(row), &R::calibration_tokens, kMinCalibrationTokens, kMaxCalibrationTokens);
  row.check = nullptr;  // code may ask for fewer; whether they are enough depends on the text
  return row;
}

// What is always written to the JSON comes before what is not: artifacts that exist have this order.
std::vector<Setting<R>> own_settings() {
  constexpr SettingGroup kMethods = SettingGroup::methods;
  constexpr SettingGroup kCalibration = SettingGroup::calibration;
  return {
      number_setting<R>({"prune", "S", "share of the linear weights to remove, such as 0.5", kMethods, "prune"},
                        &R::prune, 0, kMaxPrune),
      choice_setting<R>({"prune-method", "", "auto takes error feedback where there is calibration", kMethods,
                         "prune_method", kPruning},
                        &R::prune_method, kPruneMethods.rows()),
      choice_setting<R>(
          {"prune-scope", "", "the share holds in each layer, or over all of them", kMethods, "prune_scope", kPruning},
          &R::prune_scope, kPruneScopes.rows()),
      quant_setting(),
      integer_setting<R>(
          {"group", "N", "columns that share a scale in int4 (default {})", kMethods, "group", kDefaultGroupUse},
          &R::group, 1, kMaxGroup),
      choice_setting<R>(
          {"quant-method", "", "auto keeps the better one, layer by layer", kMethods, "quant_method", kQuantizing},
          &R::quant_method, kQuantMethods.rows()),
      integer_setting<R>(
          {"low-rank", "K", "factor linear layers to rank K where that is smaller", kMethods, "low_rank"}, &R::low_rank,
          1, kMaxLowRank),
      layer_setting(),
      calibration_setting(),
      calibration_tokens_setting(),
      integer_setting<R>({"calibration-length", "N", "tokens of one sample at most (default {}, of a decoder 512)",
                          kCalibration, "calibration_length"},
                         &R::calibration_length, kMinCalibrationLength, kMaxCalibrationLength),
      integer_setting<R>(
          {"seed", "N", "chooses the samples and the order of training (default {})", kCalibration, "seed"}, &R::seed,
          0, UINT32_MAX),
      flag_setting<R>({"strict", "", "every fallback is an error", SettingGroup::running, "strict"}, &R::strict),
      input_bits_setting(),
      choice_setting<R>({"calibration-device", "", "what runs the samples and sums their statistics", kCalibration,
                         "calibration_device"},
                        &R::calibration_device, kDevices.rows())
          .written_if([](const R& r) { return r.calibration_device != Device::cpu; }),
      student_setting(),
      choice_setting<R>({"recover", "", "blocks: tune block after block to give the original's outputs",
                         SettingGroup::recovery, "recovery"},
                        &R::recovery, kRecoveries.rows())
          .written_if([](const R& r) { return r.recovery != Recovery::none; }),
  };
}

// What a setting of training needs, asked of the whole recipe. Recovery of blocks runs on the device, too.
Setting<R> training_setting(const Setting<TrainingRecipe>& part) {
  Setting<R> row = setting_of_whole(part, &R::training);
  if (part.name == "device") row.need = {"--distill FILE or --recover blocks", [](const R& r) { return r.trains(); }};
  return row;
}

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

bool Recipe::quantizes() const {
  return any_encoding(*this, [](const std::string& text) {
    const ValueCodec* codec = find_value_codec(std::string_view(text).substr(0, text.find('/')));
    return codec != nullptr && codec->integer;
  });
}

bool Recipe::needs_statistics() const {
  const bool prunes = prune > 0 && prune_method != PruneMethod::magnitude;
  const bool rounds = quant_method != QuantMethod::nearest && quantizes();
  return prunes || rounds || low_rank.has_value() || !layers.empty();
}

Encoding parse_encoding(const std::string& text, uint32_t default_group) {
  const size_t slash = text.find('/');
  const ValueCodec* codec = find_value_codec(std::string_view(text).substr(0, slash));
  const bool has_groups = codec != nullptr && codec->grouped;
  uint64_t group = has_groups ? default_group : 0;
  const bool valid = slash == std::string::npos
                         ? codec != nullptr
                         : has_groups && read_integer(text.substr(slash + 1), 1, kMaxGroup, group).empty();
  if (!valid) {
    fail(Errc::bad_recipe,
         message("encoding ", printable(text), ": expected f32, f16, bf16, int8, int4 or int4/GROUP with GROUP in [1, ",
                 kMaxGroup, "]"));
  }
  return {codec->type, Sparsity::dense, static_cast<uint32_t>(group)};
}

const std::vector<Setting<Recipe>>& recipe_settings() {
  static const std::vector<Setting<Recipe>> kSettings = [] {
    std::vector<Setting<Recipe>> settings = own_settings();
    for (const Setting<TrainingRecipe>& part : training_settings()) settings.push_back(training_setting(part));
    return settings;
  }();
  return kSettings;
}

void validate(const Recipe& recipe) {
  check_settings(recipe_settings(), recipe);
  parse_encoding(recipe.quant, recipe.group);
  for (const LayerRule& rule : recipe.layers) parse_encoding(rule.encoding, recipe.group);
  if (recipe.prune_scope == PruneScope::global && recipe.low_rank) {
    fail(Errc::bad_recipe, "prune-scope global cannot go with low-rank: the factors replace the weights it compares");
  }
  if (recipe.prune_scope == PruneScope::global && recipe.prune_method == PruneMethod::error_feedback) {
    fail(Errc::bad_recipe, "prune-scope global chooses by magnitude; it cannot go with prune-method error-feedback");
  }
  validate_training(recipe);
}

Json recipe_json(const Recipe& recipe) {
  Json json = settings_json(recipe_settings(), recipe);
  if (recipe.trains()) json.set("training", training_recipe_json(recipe.training));
  return json;
}

}  // namespace lathe
