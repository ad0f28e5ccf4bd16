#include "cli/compress_options.h"

#include <catch2/catch.hpp>

#include "compress/pipeline/compression_plan.h"
#include "tests/cli/command.h"
#include "tests/formats/expect_error.h"
#include "tests/support/tiny_model.h"
#include "tests/support/tiny_texts.h"

namespace lathe::cli {
namespace {

using Catch::Matchers::Contains;
using test::expect_error;
using test::quoted;
using test::run_compress;
using test::TempDir;
using test::TinyModel;

Recipe recipe_of(std::vector<std::string> args) {
  CompressArguments a;
  Options options("compress", "MODEL", "");
  add_compress_options(options, a);
  args.emplace_back("MODEL");
  const bool parsed = options.parse(args);
  REQUIRE(parsed);
  return make_recipe(a);
}

}  // namespace

TEST_CASE("without options nothing is compressed and nothing trains", "[cli][compress_options]") {
  const Recipe recipe = recipe_of({});
  CHECK_FALSE(recipe.compresses());
  CHECK_FALSE(recipe.trains());
  CHECK(to_text(recipe_json(recipe)) == to_text(recipe_json(Recipe())));
}

TEST_CASE("each option of training reaches the recipe", "[cli][compress_options]") {
  const Recipe recipe = recipe_of(
      {"--quant",       "int8", "--prune",         "0.5",      "--student",   "layers=3", "--recover",         "blocks",
       "--seed",        "5",    "--distill",       "wiki.txt", "--steps",     "7",        "--prune-schedule",  "cubic",
       "--batch",       "8",    "--train-length",  "64",       "--clip",      "0",        "--learning-rate",   "0.001",
       "--warmup",      "0.2",  "--weight-decay",  "0.01",     "--alpha",     "0.25",     "--held-out",        "0.1",
       "--temperature", "4",    "--hidden-weight", "3",        "--precision", "bf16",     "--relation-weight", "0",
       "--device",      "cpu",  "--resume",        "state"});
  CHECK(student_text(recipe.student) == "layers=3");
  CHECK(recipe.recovery == Recovery::blocks);
  const TrainingRecipe& t = recipe.training;
  CHECK(t.data_file == "wiki.txt");
  CHECK(t.steps == 7);
  CHECK(t.schedule == PruneSchedule::cubic);
  CHECK(t.trainable == Trainable::all);
  CHECK(t.batch == 8);
  CHECK(t.length == 64);
  CHECK(t.learning_rate == 0.001);
  CHECK(t.weight_decay == 0.01);
  CHECK(t.clip == 0);
  CHECK(t.warmup == 0.2);
  CHECK(t.held_out == 0.1);
  CHECK(t.temperature == 4);
  CHECK(t.alpha == 0.25);
  CHECK(t.hidden_weight == 3);
  CHECK(t.relation_weight == 0);
  CHECK(t.precision == TrainingPrecision::bf16);
  CHECK(t.device == TrainingDevice::cpu);
  CHECK(t.state_folder == "state");
  CHECK(t.seed == 5);
  const Recipe adapters = recipe_of(
      {"--quant", "int8", "--distill", "a", "--train", "adapters", "--adapter-rank", "4", "--minutes", "2.5"});
  CHECK(adapters.training.trainable == Trainable::adapters);
  CHECK(adapters.training.adapter_rank == 4);
  CHECK(adapters.training.minutes == 2.5);
  CHECK(recipe_of({"--quant", "int8", "--distill", "a", "--train", "norms"}).training.trainable == Trainable::norms);
}

TEST_CASE("an option that would do nothing is an error naming what it needs", "[cli][compress_options]") {
  const std::vector<std::vector<std::string>> alone = {
      {"--steps", "5"},    {"--minutes", "1"},           {"--train", "norms"},       {"--adapter-rank", "4"},
      {"--batch", "8"},    {"--train-length", "64"},     {"--learning-rate", "0.1"}, {"--weight-decay", "0.1"},
      {"--clip", "1"},     {"--warmup", "0.1"},          {"--held-out", "0.1"},      {"--temperature", "1"},
      {"--alpha", "1"},    {"--hidden-weight", "1"},     {"--relation-weight", "1"}, {"--precision", "f32"},
      {"--device", "cpu"}, {"--prune-schedule", "cubic"}};
  for (std::vector<std::string> args : alone) {
    const std::string name = args[0];
    INFO(name);
    args.insert(args.end(), {"--quant", "int8", "--prune", "0.5"});
    expect_error(Errc::usage, {name, "--distill"}, [&] { recipe_of(args); });
  }
  CHECK(recipe_of({"--resume", "state", "--quant", "int8"}).training.state_folder == "state");
  CHECK_NOTHROW(recipe_of({"--device", "cpu", "--recover", "blocks", "--quant", "int8"}));
  expect_error(Errc::usage, {"--adapter-rank", "--train adapters"}, [] {
    recipe_of({"--quant", "int8", "--distill", "a", "--adapter-rank", "4"});
  });
  expect_error(Errc::usage, {"--steps", "--minutes"}, [] {
    recipe_of({"--quant", "int8", "--distill", "a", "--steps", "4", "--minutes", "1"});
  });
  expect_error(Errc::bad_recipe, {"distill"}, [] { recipe_of({"--distill", "a"}); });
  expect_error(Errc::bad_recipe, {"student", "depth=3"}, [] { recipe_of({"--student", "depth=3"}); });
}

TEST_CASE("options of methods are refused where there is nothing for them to do", "[cli][compress_options]") {
  for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{
           {"--prune-scope", "global"}, {"--prune-method", "magnitude"}, {"--prune-method", "auto"}}) {
    expect_error(Errc::usage, {args[0], "does nothing without", "--prune"}, [&] { recipe_of(args); });
    std::vector<std::string> with = args;
    with.insert(with.end(), {"--prune", "0.5"});
    CHECK_NOTHROW(recipe_of(with));
  }
  for (const std::vector<std::string>& args :
       std::vector<std::vector<std::string>>{{"--quant-method", "nearest"}, {"--input-bits", "16"}}) {
    for (const char* quant : {"f32", "f16", "bf16"}) {
      std::vector<std::string> without = args;
      without.insert(without.end(), {"--quant", quant});
      expect_error(Errc::usage, {args[0], "does nothing without", "int8 or int4"}, [&] { recipe_of(without); });
    }
    std::vector<std::string> with = args;
    with.insert(with.end(), {"--layer", "x=int4/64"});
    CHECK_NOTHROW(recipe_of(with));
  }
  expect_error(Errc::usage, {"--group", "int4"}, [] { recipe_of({"--group", "64", "--quant", "int8"}); });
  expect_error(Errc::usage, {"--group", "int4"}, [] { recipe_of({"--group", "64", "--quant", "int4/32"}); });
  CHECK(recipe_of({"--group", "64", "--quant", "int4"}).group == 64);
  CHECK(recipe_of({"--group", "64", "--layer", "x=int4"}).group == 64);
}

TEST_CASE("a layer rule is a pattern and an encoding", "[cli][compress_options]") {
  const Recipe recipe = recipe_of({"--layer", "re:a=b.*=int8", "--layer", "c=f16"});
  REQUIRE(recipe.layers.size() == 2);
  CHECK(recipe.layers[0].pattern == "re:a=b.*");
  CHECK(recipe.layers[0].encoding == "int8");
  expect_error(Errc::usage, {"--layer", "\"x\"", "PATTERN=ENCODING"}, [] { recipe_of({"--layer", "x"}); });
}

TEST_CASE("a dry run says what would be trained, on how many texts", "[cli][compress_options]") {
  const TempDir dir;
  const std::string model = quoted(TinyModel().write(dir));
  const std::string file = quoted(dir.write("wiki.txt", test::tiny_texts()));
  const std::string command = model + " --dry-run --quant int8 --prune 0.5 --recover blocks --prune-schedule cubic" +
                              " --steps 40 --distill " + file;
  const test::CommandResult result = run_compress(command);
  INFO(result.err);
  CHECK(result.code == 0);
  CHECK_THAT(result.out, Contains("recovery: block after block"));
  CHECK_THAT(result.out, Contains("distillation: 40 steps of 12 texts of at most 256 tokens of wiki.txt"));
  CHECK_THAT(result.out, Contains("little by little"));
  CHECK_THAT(result.out, Contains("56 texts of wiki.txt to train") && Contains("16 held out"));
  const Json json = parse_json(run_compress(command + " --json --student layers=1").out, "plan");
  CHECK(json.at("training").items().size() == 4);
  CHECK_THAT(json.at("training").items()[0].as_string(), Contains("student: layers=1"));
}

TEST_CASE("proof on texts that are trained on is refused before any work", "[cli][compress_options]") {
  const TempDir dir;
  const std::string model = quoted(TinyModel().write(dir));
  const std::string file = quoted(dir.write("wiki.txt", test::tiny_texts()));
  const std::string proof = quoted(dir.write("proof.txt", "the sun is bright\nthe dog ran\n"));
  const std::string sts = quoted(dir.write("sts.tsv", "the dog ran\ta dog ran\t5\nthe sun\tthe moon\t2\n"));
  const std::string command = model + " -o " + quoted(dir / "out.lathe") + " --quant int8 --distill " + file;
  for (const std::string& option : {" --texts " + proof, " --eval sts:" + sts}) {
    const test::CommandResult result = run_compress(command + option);
    CHECK(result.code == 64);
    CHECK_THAT(result.err, Contains("the dog ran") && Contains("trained on"));
    CHECK_FALSE(std::filesystem::exists(dir / "out.lathe"));
  }
}

TEST_CASE("models that generate have defaults and options of their own", "[cli][compress_options]") {
  Task generator, encoder;
  generator.kind = kGenerationTask;
  encoder.kind = kEmbeddingTask;
  const auto fitted = [](const Task& task, std::vector<std::string> args) {
    CompressArguments a;
    Options options("compress", "MODEL", "");
    add_compress_options(options, a);
    args.emplace_back("MODEL");
    REQUIRE(options.parse(args));
    Recipe recipe = make_recipe(a);
    fit_recipe(a, task, recipe);
    return recipe;
  };
  CHECK(fitted(generator, {}).calibration_length == 512);
  CHECK(fitted(generator, {"--calibration-length", "64", "--windows", "0"}).calibration_length == 64);
  CHECK(fitted(encoder, {"--first", "3"}).calibration_length == 128);
  expect_error(Errc::usage, {"--first", "--windows"}, [&] { fitted(generator, {"--first", "3"}); });
  expect_error(Errc::usage, {"--windows"}, [&] { fitted(encoder, {"--windows", "3"}); });
  expect_error(Errc::usage, {"--context"}, [&] { fitted(encoder, {"--context", "64"}); });
  expect_error(Errc::usage, {"--eval", "--texts"}, [&] { fitted(generator, {"--eval", "lm:x", "--texts", "y"}); });
}

}  // namespace lathe::cli
