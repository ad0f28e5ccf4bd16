#include "compress/training/training_recipe.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <string_view>
#include <vector>

#include "formats/artifact/error.h"
#include "formats/text.h"

namespace lathe {
namespace {

constexpr uint32_t kMaxParts = 1'000'000;  // of a student: layers, heads, neurons, columns
constexpr uint32_t kMaxSteps = 100'000'000;
constexpr uint32_t kMaxBatch = 65536;
constexpr uint32_t kMaxLength = 65536;
constexpr uint32_t kMaxRank = 65536;
constexpr double kMaxMinutes = 60.0 * 24 * 365;
constexpr std::string_view kByImportance = ":importance";

constexpr std::array<const char*, 3> kTrainables = {"all", "norms", "adapters"};
constexpr std::array<const char*, 2> kSchedules = {"one_shot", "cubic"};
constexpr std::array<const char*, 3> kPrecisions = {"auto", "f32", "bf16"};
constexpr std::array<const char*, 3> kDevices = {"auto", "cpu", "cuda"};

struct StudentPart {
  std::string_view name;
  std::optional<uint32_t> StudentSpec::*value;
};
constexpr StudentPart kStudentParts[] = {{"layers", &StudentSpec::layers},
                                         {"heads", &StudentSpec::heads},
                                         {"neurons", &StudentSpec::neurons},
                                         {"embedding", &StudentSpec::embedding_rank}};

[[noreturn]] void fail_student(std::string_view part, std::string_view why) {
  fail(Errc::bad_recipe, message("student: \"", printable(part), "\": ", why,
                                 "; expected layers=N, layers=N:importance, heads=N, neurons=N, embedding=N or several "
                                 "of them with commas between"));
}

void parse_part(std::string_view part, StudentSpec& spec) {
  const size_t equals = part.find('=');
  const auto known = std::find_if(std::begin(kStudentParts), std::end(kStudentParts),
                                  [&](const StudentPart& one) { return one.name == part.substr(0, equals); });
  if (known == std::end(kStudentParts)) fail_student(part, "is not a part of a student");
  if (equals == std::string_view::npos) fail_student(part, "has no number");
  if (spec.*known->value) fail_student(part, message(known->name, " is given twice"));
  std::string_view number = part.substr(equals + 1);
  if (number.ends_with(kByImportance) && known->value == &StudentSpec::layers) {
    number.remove_suffix(kByImportance.size());
    spec.layers_by_importance = true;
  }
  uint32_t count = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), count);
  if (error != std::errc() || end != number.data() + number.size() || count < 1 || count > kMaxParts) {
    fail_student(part, message("\"", printable(number), "\" is not an integer in [1, ", kMaxParts, "]"));
  }
  spec.*known->value = count;
}

struct IntegerBound {
  const char* name;
  uint32_t TrainingRecipe::*value;
  uint32_t minimum;
  uint32_t maximum;
};
constexpr IntegerBound kIntegers[] = {{"steps", &TrainingRecipe::steps, 0, kMaxSteps},
                                      {"adapter-rank", &TrainingRecipe::adapter_rank, 1, kMaxRank},
                                      {"batch", &TrainingRecipe::batch, 1, kMaxBatch},
                                      {"train-length", &TrainingRecipe::length, 3, kMaxLength}};

struct NumberBound {
  const char* name;
  double TrainingRecipe::*value;
  double minimum;
  double maximum;
};
constexpr NumberBound kNumbers[] = {{"minutes", &TrainingRecipe::minutes, 0, kMaxMinutes},
                                    {"learning-rate", &TrainingRecipe::learning_rate, 0, 1},
                                    {"weight-decay", &TrainingRecipe::weight_decay, 0, 1},
                                    {"clip", &TrainingRecipe::clip, 0, 1e6},
                                    {"warmup", &TrainingRecipe::warmup, 0, 1},
                                    {"held-out", &TrainingRecipe::held_out, 0, 0.25},
                                    {"temperature", &TrainingRecipe::temperature, 0.01, 1000},
                                    {"alpha", &TrainingRecipe::alpha, 0, 1},
                                    {"hidden-weight", &TrainingRecipe::hidden_weight, 0, 1e6},
                                    {"relation-weight", &TrainingRecipe::relation_weight, 0, 1e6}};

template <class Names, class Value>
const char* name_of(const Names& names, Value value) {
  return names[static_cast<size_t>(value)];
}

}  // namespace

StudentSpec parse_student(const std::string& text) {
  StudentSpec spec;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    parse_part(std::string_view(text).substr(begin, end - begin), spec);
    begin = end + 1;
  }
  return spec;
}

std::string student_text(const StudentSpec& spec) {
  std::string text;
  for (const StudentPart& part : kStudentParts) {
    if (!(spec.*part.value)) continue;
    text += message(text.empty() ? "" : ",", part.name, "=", *(spec.*part.value));
    if (part.value == &StudentSpec::layers && spec.layers_by_importance) text += kByImportance;
  }
  return text;
}

void validate(const TrainingRecipe& recipe) {
  for (const IntegerBound& bound : kIntegers) {
    const uint32_t value = recipe.*bound.value;
    if (value >= bound.minimum && value <= bound.maximum) continue;
    fail(Errc::bad_recipe, message(bound.name, ": ", value, ", must be in [", bound.minimum, ", ", bound.maximum, "]"));
  }
  for (const NumberBound& bound : kNumbers) {
    const double value = recipe.*bound.value;
    if (value >= bound.minimum && value <= bound.maximum) continue;  // not so for NaN
    fail(Errc::bad_recipe, message(bound.name, ": ", to_text(Json(value)), ", must be in [",
                                   to_text(Json(bound.minimum)), ", ", to_text(Json(bound.maximum)), "]"));
  }
  if (recipe.steps != 0 && recipe.minutes != 0) {
    fail(Errc::bad_recipe, message("steps: ", recipe.steps, ", cannot go with minutes: ", to_text(Json(recipe.minutes)),
                                   "; only one of them ends the training"));
  }
  if (recipe.schedule == PruneSchedule::cubic && recipe.trainable != Trainable::all) {
    fail(Errc::bad_recipe, message("prune-schedule: cubic removes weights while the others make up for them, which "
                                   "needs train: all, not ",
                                   name_of(kTrainables, recipe.trainable)));
  }
}

Json training_recipe_json(const TrainingRecipe& recipe) {
  const bool timed = recipe.minutes > 0;
  Json json = Json::object();
  if (recipe.distills()) json.set("data", std::filesystem::path(recipe.data_file).filename().string());
  if (timed) {
    json.set("minutes", recipe.minutes);
  } else {
    json.set("steps", recipe.steps == 0 ? kDefaultTrainingSteps : recipe.steps);
  }
  json.set("train", name_of(kTrainables, recipe.trainable));
  if (recipe.trainable == Trainable::adapters) json.set("adapter_rank", recipe.adapter_rank);
  json.set("prune_schedule", name_of(kSchedules, recipe.schedule))
      .set("batch", recipe.batch)
      .set("length", recipe.length)
      .set("learning_rate", recipe.learning_rate > 0 ? Json(recipe.learning_rate) : Json("auto"))
      .set("weight_decay", recipe.weight_decay)
      .set("clip", recipe.clip)
      .set("warmup", recipe.warmup)
      .set("held_out", recipe.held_out)
      .set("temperature", recipe.temperature)
      .set("alpha", recipe.alpha)
      .set("hidden_weight", recipe.hidden_weight)
      .set("relation_weight", recipe.relation_weight)
      .set("precision", name_of(kPrecisions, recipe.precision));
  if (recipe.device != TrainingDevice::automatic) json.set("device", name_of(kDevices, recipe.device));
  return json.set("seed", recipe.seed);
}

}  // namespace lathe
