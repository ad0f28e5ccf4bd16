#include <catch2/catch.hpp>
#include <cmath>

#include "compress/pipeline/compression_plan.h"
#include "formats/artifact/artifact.h"
#include "tests/formats/expect_error.h"
#include "tests/support/compress_tiny.h"

namespace lathe {
namespace {

using Catch::Matchers::Contains;
using test::expect_error;
using test::quick_recipe;
using test::TempDir;
using test::TinyModel;

constexpr const char* kQuery = "encoder.layer.0.attention.self.query.weight";
constexpr const char* kWide = "encoder.layer.0.intermediate.dense.weight";  // [80, 32]
constexpr const char* kWords = "embeddings.word_embeddings.weight";
constexpr const char* kNorm = "embeddings.LayerNorm.weight";

struct Fixture {
  TempDir dir;
  SourceModel source = open_source(TinyModel().write(dir), false);

  CompressionPlan plan(const Recipe& recipe) const { return make_compression_plan(source, recipe); }
};

std::string encoding_of(const CompressionPlan& plan, const std::string& name) {
  return encoding_name(plan.find(name).encoding);
}

}  // namespace

TEST_CASE("predicted bytes are those of the file for every encoding and share of zeros", "[compress][plan]") {
  const Fixture f;
  const std::string quant = GENERATE("f32", "f16", "int8", "int4");
  const double prune = GENERATE(0.0, 0.03, 0.5, 0.9);
  CAPTURE(quant, prune);
  const Recipe recipe = quick_recipe(quant, prune);
  const CompressionPlan plan = f.plan(recipe);
  test::compress_to(f.source, recipe, f.dir / "out.lathe");
  const Artifact artifact = Artifact::open(f.dir / "out.lathe");
  REQUIRE(artifact.tensors().size() == plan.weights.size());
  uint64_t total = 0;
  for (const WeightPlan& weight : plan.weights) {
    const EncodedTensor& tensor = artifact.tensor(weight.name).tensor;
    INFO(weight.name << " " << encoding_name(weight.encoding));
    CHECK(tensor.encoding == weight.encoding);
    CHECK(tensor.shape == weight.shape);
    total += weight.bytes;
    if (weight.encoding.sparsity == Sparsity::dense || !value_codec(weight.encoding.values).integer) {
      CHECK(tensor.bytes() == weight.bytes);
      continue;
    }
    // A kept weight that rounds to zero is stored in the mask alone, and a row of int4 ends on a whole byte.
    const uint64_t values = tensor.plane(Plane::values).size();
    CHECK(tensor.bytes() <= weight.bytes + (weight.encoding.values == ValueType::int4 ? tensor.rows() : 0));
    CHECK(tensor.bytes() + values / 2 >= weight.bytes);
    CHECK(tensor.bytes() - values ==
          weight.bytes - packed_bytes(weight.encoding.values,
                                      static_cast<uint64_t>(std::llround(
                                          (1 - prune) * static_cast<double>(tensor.rows() * tensor.cols())))));
  }
  CHECK(plan.bytes() == total);
}

TEST_CASE("an encoding takes the bits that it promises", "[compress][plan]") {
  const Encoding int4 = parse_encoding("int4", 32);
  const Encoding int8 = parse_encoding("int8", 32);
  CHECK(predicted_bytes({}, 10, 100, 0) == 4000);
  CHECK(predicted_bytes(parse_encoding("f16", 32), 10, 100, 0) == 2000);
  CHECK(predicted_bytes(int8, 10, 100, 0) == 10 * 100 + 10 * 2);          // values, row scales
  CHECK(predicted_bytes(int4, 10, 100, 0) == 10 * 50 + 10 * 2 + 10 * 2);  // and four group scales of 4 bits a row
  Encoding masked = int8;
  masked.sparsity = Sparsity::bitmask;
  CHECK(predicted_bytes(masked, 10, 100, 0.5) == 10 * 50 + 10 * 13 + 10 * 2);  // and 100 bits of mask a row
}

TEST_CASE("a mask is taken only where it is smaller than the zeros it replaces", "[compress][plan]") {
  struct Case {
    const char* encoding;
    double share;  // of zeros at which one bit of mask a weight pays exactly
  };
  for (const Case& at : {Case{"f32", 1.0 / 32}, Case{"f16", 1.0 / 16}, Case{"int8", 1.0 / 8}, Case{"int4", 1.0 / 4}}) {
    INFO(at.encoding);
    const Encoding dense = parse_encoding(at.encoding, 32);
    CHECK(with_cheaper_sparsity(dense, 64, 0).sparsity == Sparsity::dense);
    CHECK(with_cheaper_sparsity(dense, 64, at.share - 0.01).sparsity == Sparsity::dense);
    CHECK(with_cheaper_sparsity(dense, 64, at.share).sparsity == Sparsity::dense);
    CHECK(with_cheaper_sparsity(dense, 64, at.share + 0.01).sparsity == Sparsity::bitmask);
  }
  // A row of one weight spends a byte of mask on it.
  CHECK(with_cheaper_sparsity(parse_encoding("int8", 32), 1, 0.5).sparsity == Sparsity::dense);
}

TEST_CASE("a share of zeros that no mask pays for is pruned all the same, with a remark", "[compress][plan]") {
  const Fixture f;
  const CompressionPlan plan = f.plan(quick_recipe("int4", 0.1));
  CHECK(plan.find(kQuery).sparsity == 0.1);
  CHECK(encoding_of(plan, kQuery) == "int4/32");
  CHECK_THAT(plan.find(kQuery).remark, Contains("zeros"));
}

TEST_CASE("only linear weights are pruned, and only linear and embedding weights quantized", "[compress][plan]") {
  const Fixture f;
  const CompressionPlan plan = f.plan(quick_recipe("int8", 0.5));
  CHECK(encoding_of(plan, kQuery) == "int8+bitmask");
  CHECK(plan.find(kQuery).sparsity == 0.5);
  CHECK(encoding_of(plan, kWords) == "int8");
  CHECK(plan.find(kWords).sparsity == 0);
  CHECK(encoding_of(plan, kNorm) == "f16");
  CHECK(encoding_of(f.plan(quick_recipe("f32", 0.5)), kNorm) == "f32");
}

TEST_CASE("weights that nothing touches stay as narrow as their source", "[compress][plan]") {
  const TempDir dir;
  TinyModel tiny;
  tiny.dtype = "BF16";
  const SourceModel source = open_source(tiny.write(dir), false);
  CHECK(encoding_of(make_compression_plan(source, quick_recipe("f32")), kQuery) == "bf16");
  CHECK(encoding_of(make_compression_plan(source, quick_recipe("int8")), kQuery) == "int8");
}

TEST_CASE("the first layer rule that matches a weight decides its encoding", "[compress][plan]") {
  const Fixture f;
  Recipe recipe = quick_recipe("int8");
  recipe.layers = {
      {kQuery, "f16"}, {"re:encoder\\.layer\\.0\\..*", "int4/16"}, {"re:.*query.*", "f32"}, {kWords, "int4"}};
  const CompressionPlan plan = f.plan(recipe);
  CHECK(encoding_of(plan, kQuery) == "f16");
  CHECK(encoding_of(plan, kWide) == "int4/16");
  CHECK(encoding_of(plan, "encoder.layer.1.attention.self.query.weight") == "f32");
  CHECK(encoding_of(plan, "encoder.layer.1.attention.self.key.weight") == "int8");
  CHECK(encoding_of(plan, kWords) == "int4/32");
  CHECK_THAT(plan.find(kWide).remark, Contains("re:encoder"));
  CHECK(plan.find("encoder.layer.1.attention.self.key.weight").remark.empty());
}

TEST_CASE("a layer rule that would have no effect is an error", "[compress][plan]") {
  const Fixture f;
  const auto expect_refused = [&](const std::string& pattern, const std::string& part) {
    Recipe recipe = quick_recipe("int8");
    recipe.layers = {{"re:.*", "int8"}, {pattern, "f16"}};
    expect_error(Errc::bad_recipe, {pattern, part}, [&] { f.plan(recipe); });
  };
  expect_refused("re:decoder.*", "matches no");
  expect_refused("query", "matches no");     // a name is the whole name
  expect_refused("re:query", "matches no");  // so is an expression
  expect_refused(kNorm, "matches no");       // neither linear nor embedding
  expect_refused("re:([", "layer pattern");
  expect_refused("re:(?=query).*", "layer pattern");  // nothing that could take more time than the name is long
  expect_refused("re:(.*.*.*)*x", "matches no");
}

TEST_CASE("a rule that an earlier one makes idle is still accepted", "[compress][plan]") {
  const Fixture f;
  Recipe recipe = quick_recipe("f32");
  recipe.layers = {{"re:.*", "int8"}, {kQuery, "f16"}};
  CHECK(encoding_of(f.plan(recipe), kQuery) == "int8");
}

TEST_CASE("a layer is factored only where that has fewer parameters", "[compress][plan]") {
  const Fixture f;
  Recipe recipe = quick_recipe("f32");
  recipe.low_rank = 16;  // of [32, 32]: 16 * 64 = 32 * 32
  CompressionPlan plan = f.plan(recipe);
  CHECK(plan.find(kQuery).rank == 0);
  CHECK_THAT(plan.find(kQuery).remark, Contains("rank 16"));
  CHECK(plan.find(kWide).rank == 16);
  CHECK(plan.find(kWide).bytes == 16 * (80 + 32) * sizeof(float));
  CHECK(plan.find(kWords).rank == 0);
  recipe.low_rank = 15;
  CHECK(f.plan(recipe).find(kQuery).rank == 15);
  recipe.low_rank = 65536;
  for (const WeightPlan& weight : f.plan(recipe).weights) CHECK(weight.rank == 0);
}

TEST_CASE("a plan is shown whole, as text and as JSON", "[compress][plan]") {
  const Fixture f;
  const CompressionPlan plan = f.plan(quick_recipe("int8", 0.5));
  const std::string text = plan_text(plan);
  const Json json = parse_json(to_text(plan_json(plan)), "plan");
  CHECK(json.at("bytes").as_u64() == plan.bytes());
  REQUIRE(json.at("weights").items().size() == plan.weights.size());
  for (size_t i = 0; i < plan.weights.size(); ++i) {
    CHECK_THAT(text, Contains(plan.weights[i].name));
    CHECK(json.at("weights").items()[i].at("name").as_string() == plan.weights[i].name);
    CHECK(json.at("weights").items()[i].at("bytes").as_u64() == plan.weights[i].bytes);
  }
  CHECK_THAT(text, Contains("50 %") && Contains("int8+bitmask") && Contains(std::to_string(plan.bytes())));
}

}  // namespace lathe
