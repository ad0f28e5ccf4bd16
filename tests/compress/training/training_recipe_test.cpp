#include "compress/training/training_recipe.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <limits>

#include "compress/pipeline/recipe.h"
#include "tests/formats/expect_error.h"

namespace lathe {
namespace {

using test::expect_error;

void expect_refused(const std::vector<std::string>& parts, const std::function<void(TrainingRecipe&)>& change) {
  TrainingRecipe recipe;
  change(recipe);
  expect_error(Errc::bad_recipe, parts, [&] { validate(recipe); });
}

void expect_whole_refused(const std::vector<std::string>& parts, const std::function<void(Recipe&)>& change) {
  Recipe recipe;
  change(recipe);
  expect_error(Errc::bad_recipe, parts, [&] { validate(recipe); });
}

Recipe distilled() {
  Recipe recipe;
  recipe.quant = "int8";
  recipe.training.data_file = "/somewhere/deep/wiki.txt";
  return recipe;
}

}  // namespace

TEST_CASE("figures of training are within their bounds", "[compress][training_recipe]") {
  CHECK_NOTHROW(validate(TrainingRecipe()));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  expect_refused({"batch: 0", "[1, 65536]"}, [](TrainingRecipe& r) { r.batch = 0; });
  expect_refused({"train-length: 2", "[3, 65536]"}, [](TrainingRecipe& r) { r.length = 2; });
  expect_refused({"adapter-rank: 0"}, [](TrainingRecipe& r) { r.adapter_rank = 0; });
  expect_refused({"steps: 100000001"}, [](TrainingRecipe& r) { r.steps = 100'000'001; });
  expect_refused({"minutes: -1.0"}, [](TrainingRecipe& r) { r.minutes = -1; });
  expect_refused({"learning-rate: 1.5", "1.0]"}, [](TrainingRecipe& r) { r.learning_rate = 1.5; });
  expect_refused({"learning-rate"}, [&](TrainingRecipe& r) { r.learning_rate = nan; });
  expect_refused({"weight-decay"}, [](TrainingRecipe& r) { r.weight_decay = -0.1; });
  expect_refused({"clip"}, [](TrainingRecipe& r) { r.clip = -1; });
  expect_refused({"warmup"}, [](TrainingRecipe& r) { r.warmup = 1.1; });
  expect_refused({"held-out: 0.3", "[0.0, 0.25]"}, [](TrainingRecipe& r) { r.held_out = 0.3; });
  expect_refused({"temperature: 0.0"}, [](TrainingRecipe& r) { r.temperature = 0; });
  expect_refused({"alpha"}, [](TrainingRecipe& r) { r.alpha = 1.01; });
  expect_refused({"hidden-weight"}, [&](TrainingRecipe& r) { r.hidden_weight = nan; });
  expect_refused({"relation-weight"}, [](TrainingRecipe& r) { r.relation_weight = -1; });
}

TEST_CASE("steps and minutes cannot both end the training", "[compress][training_recipe]") {
  expect_refused({"steps: 10", "minutes: 2.0"}, [](TrainingRecipe& r) {
    r.steps = 10;
    r.minutes = 2;
  });
}

TEST_CASE("the cubic schedule needs weights that train, something to prune, and distillation",
          "[compress][training_recipe]") {
  expect_refused({"cubic", "norms"}, [](TrainingRecipe& r) {
    r.schedule = PruneSchedule::cubic;
    r.trainable = Trainable::norms;
  });
  expect_whole_refused({"cubic", "prune above 0"}, [](Recipe& r) {
    r = distilled();
    r.training.schedule = PruneSchedule::cubic;
  });
  expect_whole_refused({"cubic", "distill"}, [](Recipe& r) {
    r.prune = 0.5;
    r.training.schedule = PruneSchedule::cubic;
  });
  expect_whole_refused({"cubic", "low-rank"}, [](Recipe& r) {
    r = distilled();
    r.prune = 0.5;
    r.low_rank = 4;
    r.training.schedule = PruneSchedule::cubic;
  });
  Recipe good = distilled();
  good.prune = 0.5;
  good.training.schedule = PruneSchedule::cubic;
  CHECK_NOTHROW(validate(good));
}

TEST_CASE("there must be something to recover from", "[compress][training_recipe]") {
  expect_whole_refused({"recover", "nothing is compressed"}, [](Recipe& r) { r.recovery = Recovery::blocks; });
  expect_whole_refused({"distill", "its own teacher"}, [](Recipe& r) { r.training.data_file = "a.txt"; });
  Recipe student;
  student.student = parse_student("layers=1");
  CHECK_NOTHROW(validate(student));
  CHECK(student.compresses());
  student.training.data_file = "a.txt";
  student.recovery = Recovery::blocks;
  CHECK_NOTHROW(validate(student));
}

TEST_CASE("samples are needed for a student and for blocks, the engine for training", "[compress][training_recipe]") {
  Recipe recipe;
  CHECK_FALSE(recipe.needs_samples());
  CHECK_FALSE(recipe.trains());
  recipe.student = parse_student("heads=2");
  CHECK(recipe.needs_samples());
  CHECK_FALSE(recipe.needs_statistics());
  CHECK_FALSE(recipe.trains());
  recipe = Recipe();
  recipe.quant = "f16";
  recipe.recovery = Recovery::blocks;
  CHECK(recipe.needs_samples());
  CHECK(recipe.trains());
  CHECK(distilled().trains());
}

TEST_CASE("a recipe writes what trains, and nothing of it where nothing does", "[compress][training_recipe]") {
  const Json plain = recipe_json(Recipe());
  for (const char* key : {"student", "recovery", "training"}) CHECK(plain.find(key) == nullptr);
  Recipe recipe = distilled();
  recipe.student = parse_student("layers=3:importance");
  recipe.recovery = Recovery::blocks;
  recipe.training.state_folder = "/somewhere/state";
  recipe.training.seed = 9;
  const Json json = recipe_json(recipe);
  CHECK(json.at("student").as_string() == "layers=3:importance");
  CHECK(json.at("recovery").as_string() == "blocks");
  const Json& training = json.at("training");
  CHECK(training.at("data").as_string() == "wiki.txt");
  CHECK(training.at("steps").as_u64() == kDefaultTrainingSteps);
  CHECK(training.at("learning_rate").as_string() == "auto");
  CHECK(training.at("seed").as_u64() == 9);
  CHECK(training.at("precision").as_string() == "auto");
  for (const char* key : {"minutes", "adapter_rank", "device"}) CHECK(training.find(key) == nullptr);
  CHECK_THAT(to_text(json), !Catch::Matchers::Contains("somewhere"));
}

TEST_CASE("everything that changes the result of training changes the written recipe", "[compress][training_recipe]") {
  const std::vector<std::function<void(TrainingRecipe&)>> changes = {
      [](TrainingRecipe& r) { r.data_file = "other.txt"; },
      [](TrainingRecipe& r) { r.steps = 7; },
      [](TrainingRecipe& r) { r.minutes = 0.5; },
      [](TrainingRecipe& r) { r.trainable = Trainable::norms; },
      [](TrainingRecipe& r) { r.trainable = Trainable::adapters; },
      [](TrainingRecipe& r) { r.schedule = PruneSchedule::cubic; },
      [](TrainingRecipe& r) { r.batch = 8; },
      [](TrainingRecipe& r) { r.length = 64; },
      [](TrainingRecipe& r) { r.learning_rate = 1e-4; },
      [](TrainingRecipe& r) { r.weight_decay = 0.01; },
      [](TrainingRecipe& r) { r.clip = 0; },
      [](TrainingRecipe& r) { r.warmup = 0.1; },
      [](TrainingRecipe& r) { r.held_out = 0.1; },
      [](TrainingRecipe& r) { r.temperature = 4; },
      [](TrainingRecipe& r) { r.alpha = 0.5; },
      [](TrainingRecipe& r) { r.hidden_weight = 2; },
      [](TrainingRecipe& r) { r.relation_weight = 0; },
      [](TrainingRecipe& r) { r.precision = TrainingPrecision::bf16; },
      [](TrainingRecipe& r) { r.device = TrainingDevice::cuda; },
      [](TrainingRecipe& r) { r.seed = 1; }};
  std::vector<std::string> texts = {to_text(training_recipe_json(distilled().training))};
  for (const auto& change : changes) {
    TrainingRecipe recipe = distilled().training;
    change(recipe);
    texts.push_back(to_text(training_recipe_json(recipe)));
    CHECK(std::count(texts.begin(), texts.end(), texts.back()) == 1);
  }
  TrainingRecipe adapters = distilled().training;
  adapters.trainable = Trainable::adapters;
  adapters.adapter_rank = 4;
  CHECK(training_recipe_json(adapters).at("adapter_rank").as_u64() == 4);
}

}  // namespace lathe
