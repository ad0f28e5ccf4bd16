#include "compress/source/source_model.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <limits>

#include "runtime/session.h"
#include "tests/formats/expect_error.h"
#include "tests/support/tiny_model.h"

namespace lathe {
namespace {

using Catch::Matchers::Contains;
using test::expect_error;
using test::TempDir;
using test::TinyModel;

constexpr const char* kQuery = "encoder.layer.1.attention.self.query.weight";

SourceModel open_tiny(const TempDir& dir, const TinyModel& model, const std::string& name = "model") {
  return open_source(model.write(dir, name), false);
}

// Breaks the model and checks how opening it fails.
void expect_refused(Errc code, const std::vector<std::string>& parts, const std::function<void(TinyModel&)>& change) {
  const TempDir dir;
  TinyModel model;
  change(model);
  expect_error(code, parts, [&] { open_tiny(dir, model); });
}

std::vector<float> embed(const SourceModel& source) {
  const Model model = Model::build(
      source.program, [&](const std::string& name) { return source.weight(name); }, "test");
  Session session(model, 1);
  TokenBatch batch;
  batch.add(std::vector<int32_t>{2, 5, 6, 10, 12, 5, 13, 34, 3});
  batch.add(std::vector<int32_t>{2, 8, 15, 14, 3});
  return session.embed(batch);
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(static_cast<double>(a[i]) - b[i]));
  return largest;
}

std::string all_notes(const SourceModel& source) {
  std::string text;
  for (const std::string& note : source.notes) text += note + "\n";
  return text;
}

}  // namespace

TEST_CASE("a model folder becomes a program, a task and a tokenizer", "[compress][source]") {
  const TempDir dir;
  TinyModel tiny;
  tiny.pooling = "mean";
  const SourceModel source = open_tiny(dir, tiny);
  CHECK(source.name == "model");
  CHECK(source.program.weights.size() == tiny.tensors.size());
  CHECK(source.program.inputs.empty());
  REQUIRE(source.program.outputs.size() == 1);
  CHECK(source.program.values[source.program.outputs[0]].rows == RowKind::sequences);
  CHECK(source.task.kind == "sentence-embedding");
  CHECK(source.task.dimension == TinyModel::kHidden);
  CHECK(source.tokenizer.vocabulary == tiny.vocabulary);
  CHECK(source.tokenizer.max_length == TinyModel::kPositions);
  CHECK(source.notes.empty());
  uint64_t parameters = 0;
  for (const auto& [name, tensor] : tiny.tensors) parameters += tensor.values.size();
  CHECK(source.parameters() == parameters);
  CHECK(source.source_bytes() == std::filesystem::file_size(dir / "model/model.safetensors"));
}

TEST_CASE("any one tensor that is missing is named", "[compress][source]") {
  const TinyModel whole;
  for (const auto& row : whole.tensors) {
    const std::string& name = row.first;
    INFO(name);
    expect_refused(Errc::malformed, {"model.safetensors", name}, [&](TinyModel& m) { m.tensors.erase(name); });
  }
}

TEST_CASE("a tensor that the config does not account for is named with its shape", "[compress][source]") {
  expect_refused(Errc::malformed, {"model.safetensors", "encoder.extra.weight", "[3, 7]", "bert"}, [](TinyModel& m) {
    m.add_random("encoder.extra.weight", {3, 7}, 1);
  });
}

TEST_CASE("a tensor of the wrong shape is an error with both shapes", "[compress][source]") {
  expect_refused(Errc::malformed, {"model.safetensors", kQuery, "[32, 16]", "[32, 32]"}, [](TinyModel& m) {
    m.add_random(kQuery, {32, 16}, 1);
  });
  expect_refused(Errc::malformed, {kQuery, "[1024]", "[32, 32]"},
                 [](TinyModel& m) { m.add_random(kQuery, {1024}, 1); });
}

TEST_CASE("more or fewer layers in the file than in the config are an error", "[compress][source]") {
  expect_refused(Errc::malformed, {"encoder.layer.2."}, [](TinyModel& m) { m.config["num_hidden_layers"] = "3"; });
  expect_refused(Errc::malformed, {"encoder.layer.1."}, [](TinyModel& m) { m.config["num_hidden_layers"] = "1"; });
}

TEST_CASE("a vocabulary size that is not the table's number of rows is an error with both", "[compress][source]") {
  expect_refused(Errc::malformed, {"word_embeddings", "[46, 32]", "[47, 32]"},
                 [](TinyModel& m) { m.config["vocab_size"] = "47"; });
}

TEST_CASE("more tokens than rows of the table are an error", "[compress][source]") {
  expect_refused(Errc::malformed, {"\"more\"", "id 46", "46 rows"},
                 [](TinyModel& m) { m.vocabulary.push_back("more"); });
}

TEST_CASE("heads must divide the width and be at least one", "[compress][source]") {
  expect_refused(Errc::malformed, {"config.json", "num_attention_heads", "5", "32"},
                 [](TinyModel& m) { m.config["num_attention_heads"] = "5"; });
  expect_refused(Errc::malformed, {"config.json", "num_attention_heads", "0"},
                 [](TinyModel& m) { m.config["num_attention_heads"] = "0"; });
}

TEST_CASE("config values that are no sizes are refused", "[compress][source]") {
  for (const char* value : {"-2", "\"32\"", "32.0", "0", "null"}) {
    INFO(value);
    expect_refused(Errc::malformed, {"config.json", "hidden_size"},
                   [&](TinyModel& m) { m.config["hidden_size"] = value; });
  }
  expect_refused(Errc::limit, {"config.json", "num_hidden_layers", "1000000000"},
                 [](TinyModel& m) { m.config["num_hidden_layers"] = "1000000000"; });
}

TEST_CASE("an unknown kind of model lists those that are supported", "[compress][source]") {
  expect_refused(Errc::unsupported, {"config.json", "gpt_bigcode", "bert"},
                 [](TinyModel& m) { m.config["model_type"] = "\"gpt_bigcode\""; });
}

TEST_CASE("kinds of BERT that would be computed wrongly are refused", "[compress][source]") {
  expect_refused(Errc::unsupported, {"position_embedding_type", "relative_key"},
                 [](TinyModel& m) { m.config["position_embedding_type"] = "\"relative_key\""; });
  expect_refused(Errc::unsupported, {"is_decoder"}, [](TinyModel& m) { m.config["is_decoder"] = "true"; });
  expect_refused(Errc::unsupported, {"hidden_act", "mish", "gelu"},
                 [](TinyModel& m) { m.config["hidden_act"] = "\"mish\""; });
}

TEST_CASE("a model that says it is quantized is refused unless that is allowed", "[compress][source]") {
  const TempDir dir;
  TinyModel tiny;
  tiny.config["quantization_config"] = R"({"quant_method":"gptq"})";
  const auto folder = tiny.write(dir);
  expect_error(Errc::unsupported, {"gptq", "--allow-requantize"}, [&] { open_source(folder, false); });
  CHECK(open_source(folder, true).program.ops.size() == open_tiny(dir, TinyModel(), "plain").program.ops.size());
}

TEST_CASE("weights that are not finite are counted, and the first is named", "[compress][source]") {
  const float bad = GENERATE(std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                             -std::numeric_limits<float>::infinity());
  const std::string dtype = GENERATE("F32", "F16", "BF16");
  CAPTURE(bad, dtype);
  expect_refused(Errc::malformed, {"model.safetensors", kQuery, "2 values", "index 77"}, [&](TinyModel& m) {
    m.dtype = dtype;
    m.tensors[kQuery].values[77] = bad;
    m.tensors[kQuery].values[1023] = bad;
  });
}

TEST_CASE("a tensor of integers is refused where weights are expected", "[compress][source]") {
  const TempDir dir;
  const TinyModel tiny;
  const auto folder = tiny.write(dir);
  test::SafetensorsBuilder builder;
  for (const auto& [name, tensor] : tiny.tensors) {
    builder.add(name, name == kQuery ? "I32" : "F32", tensor.shape, test::raw_bytes(tensor.values));
  }
  dir.write("model/model.safetensors", builder.build());
  expect_error(Errc::malformed, {kQuery}, [&] { open_source(folder, false); });
}

TEST_CASE("half precision gives the same program and nearly the same vectors", "[compress][source]") {
  const TempDir dir;
  TinyModel tiny;
  const SourceModel full = open_tiny(dir, tiny, "full");
  const std::vector<float> expected = embed(full);
  struct Case {
    const char* dtype;
    ValueType type;
    double tolerance;  // a few units in the last place of the weights, over unit vectors
  };
  for (const Case& half : {Case{"F16", ValueType::f16, 2e-3}, Case{"BF16", ValueType::bf16, 2e-2}}) {
    INFO(half.dtype);
    tiny.dtype = half.dtype;
    const SourceModel source = open_tiny(dir, tiny, half.dtype);
    CHECK(source.program == full.program);
    CHECK(source.weight(kQuery).encoding.values == half.type);
    const double difference = largest_difference(embed(source), expected);
    CHECK(difference < half.tolerance);
    CHECK(difference > 0);
  }
}

TEST_CASE("names with the prefix of a task model mean the same", "[compress][source]") {
  const TempDir dir;
  TinyModel tiny;
  const std::vector<float> expected = embed(open_tiny(dir, tiny, "plain"));
  tiny.rename_all([](const std::string& name) { return "bert." + name; });
  CHECK(embed(open_tiny(dir, tiny, "prefixed")) == expected);
}

TEST_CASE("gamma and beta are read like weight and bias of a norm", "[compress][source]") {
  const TempDir dir;
  TinyModel tiny;
  const std::vector<float> expected = embed(open_tiny(dir, tiny, "new"));
  tiny.rename_all([](const std::string& name) {
    const size_t at = name.find("LayerNorm.");
    if (at == std::string::npos) return name;
    return name.substr(0, at) + (name.ends_with("weight") ? "LayerNorm.gamma" : "LayerNorm.beta");
  });
  CHECK(embed(open_tiny(dir, tiny, "old")) == expected);
}

TEST_CASE("without modules.json the mean is taken, and a note says so", "[compress][source]") {
  const TempDir dir;
  TinyModel tiny;
  const SourceModel bare = open_tiny(dir, tiny, "bare");
  CHECK_THAT(all_notes(bare), Contains("modules.json") && Contains("mean"));
  CHECK(bare.task.pooling == Pooling::mean);
  CHECK(bare.task.normalize);
  tiny.pooling = "mean";
  const SourceModel named = open_tiny(dir, tiny, "named");
  CHECK(named.notes.empty());
  CHECK(embed(named) == embed(bare));
}

TEST_CASE("pooling by the first token and by the largest values is read and computed", "[compress][source]") {
  const TempDir dir;
  TinyModel tiny;
  const std::vector<float> mean = embed(open_tiny(dir, tiny, "mean"));
  struct Case {
    const char* name;
    Pooling pooling;
  };
  for (const Case& pooled : {Case{"cls", Pooling::first}, Case{"max", Pooling::max}}) {
    tiny.pooling = pooled.name;
    const SourceModel source = open_tiny(dir, tiny, pooled.name);
    CHECK(source.task.pooling == pooled.pooling);
    CHECK_THAT(task_text(source.task, "x"), Contains("pooling=" + std::string(kPoolings.name(pooled.pooling))));
    CHECK(largest_difference(embed(source), mean) > 0.01);
  }
}

TEST_CASE("heads that a text vector does not depend on are left out with a note", "[compress][source]") {
  const TempDir dir;
  TinyModel tiny;
  const std::vector<float> expected = embed(open_tiny(dir, tiny, "plain"));
  tiny.rename_all([](const std::string& name) { return "bert." + name; });
  tiny.add_random("cls.predictions.transform.dense.weight", {32, 32}, 1);
  tiny.add_random("cls.predictions.bias", {46}, 1);
  tiny.add_random("bert.pooler.dense.weight", {32, 32}, 1);
  const SourceModel source = open_tiny(dir, tiny, "heads");
  CHECK_THAT(all_notes(source), Contains("cls.predictions.transform.dense.weight") &&
                                    Contains("cls.predictions.bias") && Contains("bert.pooler.dense.weight"));
  CHECK(embed(source) == expected);
}

TEST_CASE("a path that is no model folder is an error that says what is expected", "[compress][source]") {
  const TempDir dir;
  expect_error(Errc::no_input, {"nothing-here", "config.json"}, [&] { open_source(dir / "nothing-here", false); });
  std::filesystem::create_directory(dir / "empty");
  expect_error(Errc::no_input, {"config.json"}, [&] { open_source(dir / "empty", false); });
  TinyModel().write(dir);
  std::filesystem::remove(dir / "model/model.safetensors");
  expect_error(Errc::no_input, {"model"}, [&] { open_source(dir / "model", false); });
  TinyModel().write(dir);
  std::filesystem::remove(dir / "model/vocab.txt");
  expect_error(Errc::no_input, {"vocab.txt"}, [&] { open_source(dir / "model", false); });
}

TEST_CASE("the name of a model is its folder's, however the path is written", "[compress][source]") {
  const TempDir dir;
  TinyModel().write(dir);
  for (const char* path : {"model", "model/", "./model/.", "model/../model//"}) {
    CHECK(open_source(dir / path, false).name == "model");
  }
}

TEST_CASE("every weight has the role of its place in the program", "[compress][source]") {
  const TempDir dir;
  const SourceModel source = open_tiny(dir, TinyModel());
  const auto roles = weight_roles(source.program);
  CHECK(roles.size() == source.program.weights.size());
  CHECK(roles.at(kQuery) == WeightRole::linear);
  CHECK(roles.at("encoder.layer.1.attention.self.query.bias") == WeightRole::other);
  CHECK(roles.at("embeddings.word_embeddings.weight") == WeightRole::embedding);
  CHECK(roles.at("embeddings.LayerNorm.weight") == WeightRole::other);
  CHECK(std::count_if(roles.begin(), roles.end(), [](const auto& row) { return row.second == WeightRole::linear; }) ==
        12);
}

}  // namespace lathe
