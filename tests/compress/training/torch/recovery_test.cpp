// Training as a part of the whole compression, through the module that the command loads.

#include "compress/pipeline/recovery.h"

#include <catch2/catch.hpp>

#include "compress/training/torch/interpreter.h"
#include "tests/compress/training/torch/small_student.h"
#include "tests/support/tiny_texts.h"

namespace lathe {
namespace {

using Catch::Matchers::Contains;
using test::Classroom;
using test::quick_recipe;

Recipe training_recipe(const Classroom& room, const std::string& quant, double prune) {
  Recipe recipe = quick_recipe(quant, prune);
  recipe.training.data_file = room.dir.write("train.txt", test::tiny_texts()).string();
  recipe.calibration_tokens = 1024;
  recipe.training.steps = 20;
  recipe.training.batch = 16;
  recipe.training.learning_rate = 2e-3;
  recipe.training.device = TrainingDevice::cpu;
  return recipe;
}

CompressedModel compress_student(const Classroom& room, const Recipe& recipe, const std::string& file,
                                 size_t threads = 1) {
  SilentProgress silent;
  ArtifactWriter writer(room.dir / file);
  const ResolvedInputs inputs = test::resolved(room.teacher, recipe);
  Student student = prepare_student(inputs.work, silent, threads);
  const CompressionPlan plan = make_compression_plan(student.model, recipe);
  return compress(inputs.work, std::move(student), plan, writer, silent, threads);
}

std::vector<float> outputs(const Model& model, const TokenBatch& batch) { return Session(model, 1).embed(batch); }

double distance(const Classroom& room, const std::string& file) {
  const auto weights = [&](const std::string& name) { return room.teacher.weight(name); };
  const std::vector<float> wanted = outputs(Model::build(room.teacher.program, weights, "t"), room.data.held_out);
  const std::vector<float> got = outputs(Model::open(room.dir / file), room.data.held_out);
  double change = 0;
  for (size_t i = 0; i < wanted.size(); ++i) change += std::pow(static_cast<double>(wanted[i]) - got[i], 2);
  return change;
}

TEST_CASE("the module computes what the runtime computes", "[compress][torch][recovery]") {
  const Classroom room;
  const auto weights = [&](const std::string& name) { return room.teacher.weight(name); };
  const auto engine = load_training_engine(TrainingDevice::cpu);
  CHECK_THAT(engine->description(), Contains("LibTorch ") && Contains(", CPU"));
  const uint32_t output = room.teacher.program.outputs.at(0);
  const auto values = engine->forward(room.teacher.program, weights, room.data.held_out, {output, 0});
  REQUIRE(values.size() == 2);
  const std::vector<float> wanted = outputs(Model::build(room.teacher.program, weights, "t"), room.data.held_out);
  REQUIRE(values[0].size() == wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) REQUIRE(values[0][i] == Approx(wanted[i]).margin(2e-5));
  CHECK(values[1].size() == room.data.held_out.tokens() * room.teacher.program.values[0].shape.size());
}

TEST_CASE("recovery brings the compressed model nearer to the original", "[compress][torch][recovery]") {
  const Classroom room;
  Recipe recipe = training_recipe(room, "int8", 0.6);
  recipe.prune_method = PruneMethod::magnitude;
  recipe.quant_method = QuantMethod::nearest;  // leaves more to learn
  const CompressedModel trained = compress_student(room, recipe, "trained.lathe");
  REQUIRE(trained.training.size() == 1);
  CHECK(trained.training[0].stage == "distillation");
  CHECK(trained.training[0].steps == 20);
  CHECK_FALSE(trained.training_data.empty());
  recipe.recovery = Recovery::blocks;
  const CompressedModel both = compress_student(room, recipe, "both.lathe");
  CHECK(both.training.size() == match_all(room.teacher.program).size() + 1);
  recipe.training.data_file.clear();
  const CompressedModel blocks = compress_student(room, recipe, "blocks.lathe");
  CHECK(blocks.training.size() == match_all(room.teacher.program).size());
  CHECK(blocks.training_data.empty());
  recipe.recovery = Recovery::none;
  compress_student(room, recipe, "plain.lathe");
  CHECK(distance(room, "trained.lathe") < 0.8 * distance(room, "plain.lathe"));
  CHECK(distance(room, "both.lathe") < 0.8 * distance(room, "plain.lathe"));
  CHECK(distance(room, "blocks.lathe") < 0.9 * distance(room, "plain.lathe"));
  for (const WeightFacts& facts : trained.weights) {
    if (facts.role == "linear") CHECK(facts.sparsity == Approx(0.6).margin(0.02));
  }
}

TEST_CASE("a schedule of pruning ends in an artifact with the share asked for", "[compress][torch][recovery]") {
  const Classroom room;
  Recipe recipe = training_recipe(room, "int8", 0.5);
  recipe.training.schedule = PruneSchedule::cubic;
  const CompressedModel model = compress_student(room, recipe, "cubic.lathe");
  REQUIRE(model.training.size() == 2);
  CHECK(model.training[0].stage == "dense training");
  CHECK(model.training[1].stage == "distillation");
  CHECK(model.training[0].steps > model.training[1].steps);  // most of the time goes to what is lost by then
  CHECK(model.training[0].steps + model.training[1].steps == 20);
  for (const WeightFacts& facts : model.weights) {
    if (facts.role == "linear") CHECK(facts.sparsity == Approx(0.5).margin(0.01));
  }
}

TEST_CASE("the whole pipeline gives the same bytes on any number of threads", "[compress][torch][recovery]") {
  const Classroom room;
  Recipe recipe = training_recipe(room, "int4", 0.5);
  recipe.recovery = Recovery::blocks;
  recipe.student.layers = 1;
  compress_student(room, recipe, "one.lathe", 1);
  compress_student(room, recipe, "three.lathe", 3);
  CHECK(test::file_bytes(room.dir / "one.lathe") == test::file_bytes(room.dir / "three.lathe"));
  recipe.training.seed = 1;
  compress_student(room, recipe, "other.lathe", 1);
  CHECK(test::file_bytes(room.dir / "one.lathe") != test::file_bytes(room.dir / "other.lathe"));
}

}  // namespace
}  // namespace lathe
