// Compression of decoders: what becomes of heads, tied tables and frequencies, and which students there are.

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "compress/program/blocks.h"
#include "compress/program/student.h"
#include "compress/training/training_data.h"
#include "formats/artifact/artifact.h"
#include "tests/formats/expect_error.h"
#include "tests/support/compress_tiny.h"
#include "tests/support/recorded_decoder.h"

namespace lathe {
namespace {

using test::expect_error;
using test::quick_recipe;
using test::RecordedDecoder;
using test::TempDir;

struct Fixture {
  TempDir dir;
  RecordedDecoder decoder;
  SourceModel source;

  explicit Fixture(const std::string& name) : decoder(name), source(open_source(decoder.copy(dir), false)) {}

  std::vector<float> logits(const Model& model) const {
    TokenBatch batch;
    for (const auto& ids : decoder.inputs()) batch.add(ids);
    std::vector<float> out(batch.tokens() * source.task.dimension);
    float* const outputs[] = {out.data()};
    Session(model, 1).run(batch, {}, outputs);
    return out;
  }

  // |compressed - original| / |original| of all logits.
  double error_of(const Recipe& recipe) {
    test::compress_to(source, recipe, dir / "out.lathe");
    const std::vector<float> now = logits(Model::open(dir / "out.lathe"));
    const std::vector<float> then = logits(Model::build(
        source.program, [&](const std::string& name) { return source.weight(name); }, "test"));
    double difference = 0, size = 0;
    for (size_t i = 0; i < now.size(); ++i) {
      difference += (now[i] - then[i]) * (now[i] - then[i]);
      size += then[i] * then[i];
    }
    return std::sqrt(difference / size);
  }
};

}  // namespace

TEST_CASE("every decoder stays near its original in f32, f16 and int8", "[compress][decoders]") {
  Fixture f(GENERATE(from_range(test::recorded_decoders())));
  CAPTURE(f.source.task.architecture);
  CHECK(f.error_of(quick_recipe("f32")) < 1e-5);
  CHECK(f.error_of(quick_recipe("f16")) < 0.01);
  CHECK(f.error_of(quick_recipe("int8")) < 0.1);
  const Artifact artifact = Artifact::open(f.dir / "out.lathe");
  CHECK(artifact.program().ops.size() == f.source.program.ops.size());
  CHECK(artifact.program().weights.size() == f.source.program.weights.size());
  CHECK(artifact.tensors().size() == f.source.program.weights.size());  // a tied table is stored once
}

TEST_CASE("inputs of sixteen bits bring a decoder of int8 nearer to its original", "[compress][decoders]") {
  Fixture f("llama");
  Recipe recipe = quick_recipe("int8");
  const auto wide_ops = [&] {
    const Artifact artifact = Artifact::open(f.dir / "out.lathe");
    const auto is_wide = [](const Op& op) { return op.attributes == Attributes(ops::Linear{InputBits::sixteen}); };
    return std::count_if(artifact.program().ops.begin(), artifact.program().ops.end(), is_wide);
  };
  recipe.input_bits = 8;
  const double narrow = f.error_of(recipe);
  CHECK(wide_ops() == 0);
  recipe.input_bits = 16;
  const double wide = f.error_of(recipe);
  const auto linear = [](const Op& op) { return op.is<ops::Linear>(); };
  CHECK(wide_ops() == std::count_if(f.source.program.ops.begin(), f.source.program.ops.end(), linear));
  CHECK(wide < 0.9 * narrow);
  recipe.input_bits = 0;
  CHECK(f.error_of(recipe) < 1.05 * wide);
  CHECK(wide_ops() > 0);
}

TEST_CASE("frequencies keep their precision whatever the recipe", "[compress][decoders]") {
  Fixture f("llama_scaled");
  const CompressionPlan plan = make_compression_plan(f.source, quick_recipe("int4", 0.5));
  CHECK(encoding_name(plan.find("rope.frequencies").encoding) == "f32");
  CHECK_FALSE(plan.find("rope.frequencies").remark.empty());
  CHECK(encoding_name(plan.find("model.norm.weight").encoding) == "f16");
  f.error_of(quick_recipe("int8"));
  const Artifact artifact = Artifact::open(f.dir / "out.lathe");
  CHECK(decode(artifact.tensor("rope.frequencies").tensor) == decode(f.source.weight("rope.frequencies")));
}

TEST_CASE("heads and tied tables are rounded, neither pruned nor factored", "[compress][decoders]") {
  const auto [name, head] =
      GENERATE(std::pair{"mistral", "lm_head.weight"}, std::pair{"llama", "model.embed_tokens.weight"});
  Fixture f(name);
  Recipe recipe = quick_recipe("int8", 0.5);
  recipe.low_rank = 8;
  const CompressionPlan plan = make_compression_plan(f.source, recipe);
  CHECK(plan.find(head).sparsity == 0);
  CHECK(plan.find(head).rank == 0);
  CHECK(encoding_name(plan.find(head).encoding) == "int8");
  CHECK((plan.find(head).role == WeightRole::head) == (name == std::string("mistral")));
  CHECK((plan.find(head).remark.find("neither pruned nor factored") != std::string::npos) ==
        (name == std::string("mistral")));
  test::compress_to(f.source, recipe, f.dir / "out.lathe");
  const Artifact artifact = Artifact::open(f.dir / "out.lathe");
  const EncodedTensor& stored = artifact.tensor(head).tensor;
  CHECK(stored.encoding.sparsity == Sparsity::dense);
  CHECK(count_zeros(stored) < stored.rows() * stored.cols() / 20);
  CHECK(count_zeros(artifact.tensor("model.layers.0.mlp.down_proj.weight.down").tensor) > 100);
  CHECK_NOTHROW(f.logits(Model::open(f.dir / "out.lathe")));
}

TEST_CASE("layer rules reach the head", "[compress][decoders]") {
  Fixture f("qwen3");
  Recipe recipe = quick_recipe("int8");
  recipe.layers = {{"lm_head.weight", "f16"}};
  CHECK(encoding_name(make_compression_plan(f.source, recipe).find("lm_head.weight").encoding) == "f16");
  recipe.layers = {{"no.such", "f16"}};
  CHECK_THROWS_WITH(make_compression_plan(f.source, recipe), Catch::Contains("names look like lm_head.weight"));
}

TEST_CASE("blocks of a decoder end where its stream is the only value, and layers are two of them",
          "[compress][decoders][blocks]") {
  const std::string name = GENERATE("qwen3", "gpt2");
  Fixture f(name);
  const Program& program = f.source.program;
  const std::vector<Block> blocks = find_blocks(program);
  REQUIRE(blocks.size() == 6);  // embeddings, two halves of two layers, the head
  CHECK(program.ops[blocks[1].last].is<ops::Add>());
  CHECK(program.ops[blocks[2].last].is<ops::Add>());
  CHECK(blocks.back().output == program.outputs[0]);
  const std::vector<Block> layers = find_layers(program);
  REQUIRE(layers.size() == 2);
  for (size_t i = 0; i < 2; ++i) {
    CHECK(layers[i] == Block{blocks[1 + 2 * i].first, layers[i].last, blocks[1 + 2 * i].input, layers[i].output});
    CHECK(program.ops[layers[i].last].is<ops::Add>());
  }
  CHECK(layers[1].input == layers[0].output);
  for (const MatchedValue& value : match_all(program)) CHECK(value.teacher != program.outputs[0]);
}

TEST_CASE("a student of a decoder has fewer layers", "[compress][decoders]") {
  Fixture f(GENERATE("llama", "qwen3", "gpt2"));
  StudentSpec spec;
  spec.layers = 1;
  spec.layers_by_importance = GENERATE(true, false);
  SilentProgress silent;
  const TokenBatch samples = test::samples_of(f.source, quick_recipe("int8")).batch;
  const Student student = make_student(f.source, spec, samples, silent, 1);
  const auto attentions = [](const Program& program) {
    return std::count_if(program.ops.begin(), program.ops.end(), [](const Op& op) { return op.is<ops::Attention>(); });
  };
  CHECK(attentions(student.model.program) == 1);
  CHECK(student.model.program.outputs.size() == 1);
  CHECK(student.matched.size() == 2);
}

TEST_CASE("what a decoder cannot lose is refused before any work", "[compress][decoders]") {
  SilentProgress silent;
  const auto refused = [&](const char* name, const char* text, const char* words) {
    const Fixture f(name);
    expect_error(Errc::unsupported, {words}, [&] { make_student(f.source, parse_student(text), {}, silent, 1); });
  };
  refused("llama", "heads=2", "heads=2");
  refused("llama", "neurons=20", "neurons=20");
  refused("llama", "embedding=8", "embedding=8");
  Fixture gpt2("gpt2");
  const TokenBatch samples = test::samples_of(gpt2.source, quick_recipe("int8")).batch;
  const Student student = make_student(gpt2.source, parse_student("heads=2,neurons=100"), samples, silent, 1);
  for (const Op& op : student.model.program.ops) {
    const auto* attention = op.as<ops::Attention>();
    if (attention == nullptr) continue;
    CHECK(attention->heads == 2);
    CHECK(attention->kv_heads == 2);
  }
}

TEST_CASE("decoders learn from windows of one text", "[compress][decoders]") {
  Fixture f("llama");
  std::string text;
  for (int i = 0; i < 400; ++i)
    text += message("line ", i, " of the text that is long enough to be told from others\n");
  TrainingRecipe recipe;
  recipe.data_file = f.dir.write("text.txt", text).string();
  recipe.length = 16;
  const TrainingTexts texts = read_training_texts(f.source, recipe, TextFile(recipe.data_file));
  const TrainingData& data = texts.data;
  CHECK(data.train.sequences() > 10 * data.held_out.sequences());
  CHECK(data.held_out.sequences() >= kMinHeldOutTexts);
  for (size_t s = 0; s < data.train.sequences(); ++s) REQUIRE(data.train.length(s) == 16);
  CHECK(data.train_labels.empty());
  CHECK_THAT(data.description, Catch::Contains("windows of 16 tokens of text.txt"));
  CHECK(read_training_texts(f.source, recipe, TextFile(recipe.data_file)).data.train.ids == data.train.ids);

  const std::string seen = "line 7 of the text that is long enough to be told from others";
  CHECK(without_trained(f.source, texts.trained, std::vector<std::string>{seen, "of the text", "unseen"}) ==
        std::vector<std::string>{"of the text", "unseen"});
  CHECK_THROWS_WITH(check_proof_is_unseen(texts.trained, "proof.txt", {"short", seen}), Catch::Contains("1 of 2"));
  CHECK_NOTHROW(check_proof_is_unseen(texts.trained, "proof.txt", {"short", "another"}));
  recipe.length = 4096;  // no more than the model was made for
  expect_error(Errc::malformed, {"windows of 96"}, [&] {
    recipe.data_file = f.dir.write("short.txt", text.substr(0, 2000)).string();
    read_training_texts(f.source, recipe, TextFile(recipe.data_file));
  });
}

}  // namespace lathe
