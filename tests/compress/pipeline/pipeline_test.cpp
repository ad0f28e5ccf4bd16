// The whole job on a small model: every combination gives a file that opens, is intact, runs, and holds what was asked.

#include <catch2/catch.hpp>
#include <cmath>
#include <locale>
#include <set>

#include "compress/evaluation/fidelity.h"
#include "runtime/text/embedder.h"
#include "tests/formats/expect_error.h"
#include "tests/support/compress_tiny.h"

namespace lathe {
namespace {

using Catch::Matchers::Contains;
using test::compress_to;
using test::compressed_bytes;
using test::expect_error;
using test::quick_recipe;
using test::TempDir;
using test::TinyModel;

enum class Data { text, synthetic, none };

struct Fixture {
  TempDir dir;
  SourceModel source = open_source(TinyModel().write(dir), false);

  Recipe recipe(const std::string& quant, double prune, Data data = Data::synthetic) const {
    Recipe recipe = quick_recipe(quant, prune);
    if (data == Data::text) recipe.calibration_file = dir.write("calibration.txt", test::tiny_text(100)).string();
    if (data == Data::none) {
      recipe.prune_method = PruneMethod::magnitude;
      recipe.quant_method = QuantMethod::nearest;
    }
    return recipe;
  }

  std::vector<float> original(const std::vector<std::string>& texts) const {
    const Model model = Model::build(
        source.program, [this](const std::string& name) { return source.weight(name); }, "test");
    return Embedder(model, source.tokenizer, 1).embed(texts);
  }
};

const std::vector<std::string> kTexts = {"the cat sat on the mat.", "was the moon bright over the old house?", "rain",
                                         "a small bird in the tree and a leaf in the wind"};

uint64_t zeros_of(const Artifact& artifact, const CompressionPlan& plan, uint64_t& weights) {
  uint64_t zeros = 0;
  weights = 0;
  for (const WeightPlan& weight : plan.weights) {
    if (weight.role != WeightRole::linear) continue;
    const EncodedTensor& tensor = artifact.tensor(weight.name).tensor;
    zeros += count_zeros(tensor);
    weights += tensor.rows() * tensor.cols();
  }
  return zeros;
}

/// Writes 1234.5 as 1.234,5, as much of Europe does.
class CommaNumbers : public std::numpunct<char> {
 protected:
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

/// Counts what it is told, and stops when it has been asked often enough.
class Listener : public Progress {
 public:
  explicit Listener(int questions = 1 << 30) : questions_(questions) {}
  void stage(const std::string& name, uint64_t steps) override {
    stages.push_back(name);
    steps_ = steps;
    done_ = 0;
  }
  void advance(uint64_t done) override {
    in_order = in_order && done > done_ && done <= steps_;
    done_ = done;
  }
  void note(const std::string&) override {}
  bool cancelled() const override { return asked++ >= questions_; }

  std::vector<std::string> stages;
  bool in_order = true;
  mutable int asked = 0;

 private:
  int questions_;
  uint64_t steps_ = 0;
  uint64_t done_ = 0;
};

}  // namespace

TEST_CASE("every combination gives a file that is intact, runs, and is close to the original", "[compress][pipeline]") {
  const std::string quant = GENERATE("f32", "f16", "int8", "int4");
  const double prune = GENERATE(0.0, 0.5);
  const Data data = GENERATE(Data::text, Data::synthetic, Data::none);
  CAPTURE(quant, prune, static_cast<int>(data));
  const Fixture f;
  const Recipe recipe = f.recipe(quant, prune, data);
  const CompressedModel compressed = compress_to(f.source, recipe, f.dir / "out.lathe");
  CHECK(compressed.calibration.empty() == !recipe.needs_statistics());
  CHECK(compressed.program == f.source.program);

  const Model model = Model::open(f.dir / "out.lathe");
  const Artifact& artifact = *model.artifact();
  CHECK(artifact.verify().empty());
  CHECK(artifact.file().bytes().size() == compressed.file_bytes);
  CHECK(artifact.section_text(layout::Section::recipe) == compressed.recipe_json);
  CHECK(artifact.section_text(layout::Section::provenance) == compressed.provenance_json);
  CHECK(decode_tokenizer(artifact.section(layout::Section::tokenizer), "test") == f.source.tokenizer);

  const CompressionPlan plan = make_compression_plan(f.source, recipe);
  for (const WeightPlan& weight : plan.weights) {
    if (weight.role != WeightRole::linear) continue;
    INFO(weight.name);
    const EncodedTensor& tensor = artifact.tensor(weight.name).tensor;
    const auto wanted = static_cast<uint64_t>(std::llround(prune * static_cast<double>(tensor.rows() * tensor.cols())));
    if (value_codec(tensor.encoding.values).integer) {
      CHECK(count_zeros(tensor) >= wanted);
    } else {
      CHECK(count_zeros(tensor) == wanted);
    }
  }

  Embedder embedder(model, 1);
  const FidelityResult result = fidelity(f.original(kTexts), embedder.embed(kTexts), embedder.dimension());
  CAPTURE(result.mean, result.minimum);
  const double least = prune > 0         ? (data == Data::none ? 0.6 : 0.8)
                       : quant == "int4" ? 0.98
                       : quant == "int8" ? 0.9995
                                         : 0.999999;
  CHECK(result.minimum > least);
  if (prune == 0 && quant == "f32") CHECK(embedder.embed(kTexts) == f.original(kTexts));
}

TEST_CASE("a mask over all layers removes exactly the share of them together", "[compress][pipeline]") {
  const Fixture f;
  Recipe recipe = f.recipe("f32", 0.37, Data::none);
  recipe.prune_scope = PruneScope::global;
  compress_to(f.source, recipe, f.dir / "out.lathe");
  const Artifact artifact = Artifact::open(f.dir / "out.lathe");
  uint64_t weights = 0;
  const CompressionPlan plan = make_compression_plan(f.source, recipe);
  const uint64_t zeros = zeros_of(artifact, plan, weights);
  CHECK(zeros == static_cast<uint64_t>(std::llround(0.37 * static_cast<double>(weights))));
  std::set<uint64_t> counts;
  for (const WeightPlan& weight : plan.weights) {
    if (weight.role != WeightRole::linear || weight.shape[0] != weight.shape[1]) continue;
    counts.insert(count_zeros(artifact.tensor(weight.name).tensor));
  }
  CHECK(counts.size() > 2);  // layers of one shape lose different shares
}

TEST_CASE("zeros of the original count towards the share", "[compress][pipeline]") {
  const TempDir dir;
  TinyModel tiny;
  const std::string name = "encoder.layer.0.output.dense.weight";
  std::vector<float>& values = tiny.tensors[name].values;
  for (size_t i = 0; i < values.size() / 2; ++i) values[i] = 0;
  const SourceModel source = open_source(tiny.write(dir), false);
  Recipe recipe = quick_recipe("f32", 0.5);
  recipe.prune_method = PruneMethod::magnitude;
  compress_to(source, recipe, dir / "out.lathe");
  const Artifact artifact = Artifact::open(dir / "out.lathe");
  CHECK(decode(artifact.tensor(name).tensor) == values);
}

TEST_CASE("the same input gives the same bytes for any number of threads", "[compress][pipeline]") {
  const std::string quant = GENERATE("f32", "int8", "int4");
  const double prune = GENERATE(0.0, 0.5);
  CAPTURE(quant, prune);
  const Fixture f;
  const Recipe recipe = f.recipe(quant, prune, Data::text);
  const std::string expected = compressed_bytes(f.source, recipe, 1);
  CHECK((compressed_bytes(f.source, recipe, 1) == expected));
  CHECK((compressed_bytes(f.source, recipe, 2) == expected));
  CHECK((compressed_bytes(f.source, recipe, 3) == expected));
}

TEST_CASE("low rank gives the same bytes for any number of threads", "[compress][pipeline]") {
  const Fixture f;
  Recipe recipe = f.recipe("int8", 0);
  recipe.low_rank = 10;
  const std::string expected = compressed_bytes(f.source, recipe, 1);
  CHECK((compressed_bytes(f.source, recipe, 2) == expected));
  CHECK((compressed_bytes(f.source, recipe, 3) == expected));
}

TEST_CASE("the bytes depend neither on the working directory nor on the locale nor on where files lie",
          "[compress][pipeline]") {
  const Fixture f;
  const Recipe recipe = f.recipe("int4", 0.5, Data::text);
  const std::string expected = compressed_bytes(f.source, recipe);
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::create_directories(f.dir / "elsewhere");
  std::filesystem::copy(f.dir / "model", f.dir / "elsewhere/model", std::filesystem::copy_options::recursive);
  std::filesystem::copy(f.dir / "calibration.txt", f.dir / "elsewhere/calibration.txt");
  std::filesystem::current_path(f.dir / "elsewhere");
  const std::locale locale = std::locale::global(std::locale(std::locale::classic(), new CommaNumbers));
  Recipe same = recipe;
  same.calibration_file = "calibration.txt";
  const std::string actual = compressed_bytes(open_source("model", false), same);
  std::locale::global(locale);
  std::filesystem::current_path(before);
  CHECK((actual == expected));
}

TEST_CASE("the seed of made-up samples changes what is learnt from them", "[compress][pipeline]") {
  const Fixture f;
  Recipe recipe = f.recipe("int8", 0.5);
  const std::string first = compressed_bytes(f.source, recipe);
  recipe.seed = 1;
  CHECK_FALSE((compressed_bytes(f.source, recipe) == first));
}

TEST_CASE("low rank rewrites the program, and what comes out still runs", "[compress][pipeline]") {
  const std::string quant = GENERATE("f32", "int8", "int4");
  const double prune = GENERATE(0.0, 0.5);
  CAPTURE(quant, prune);
  const Fixture f;
  Recipe recipe = f.recipe(quant, prune);
  recipe.low_rank = 15;
  const CompressedModel compressed = compress_to(f.source, recipe, f.dir / "out.lathe", 2);
  CHECK(compressed.program.ops.size() == f.source.program.ops.size() + 12);
  CHECK(compressed.weights.size() == 12 * 2 + 3);
  const Model model = Model::open(f.dir / "out.lathe");
  CHECK(model.artifact()->verify().empty());
  CHECK(model.program() == compressed.program);
  CHECK(model.artifact()->tensor("encoder.layer.0.output.dense.weight.up").tensor.shape == Shape{32, 15});
  CHECK(model.artifact()->tensor("encoder.layer.0.output.dense.weight.down").tensor.shape == Shape{15, 80});
  Embedder embedder(model, 1);
  const FidelityResult result = fidelity(f.original(kTexts), embedder.embed(kTexts), embedder.dimension());
  CHECK(result.minimum > (prune > 0 ? 0.3 : 0.7));  // random weights have no low rank to find
  CHECK(result.minimum < 0.9999);
}

TEST_CASE("a layer that is too narrow for the rank keeps its one weight", "[compress][pipeline]") {
  const Fixture f;
  Recipe recipe = f.recipe("f32", 0);
  recipe.low_rank = 20;  // pays for [80, 32] alone
  const CompressedModel compressed = compress_to(f.source, recipe, f.dir / "out.lathe");
  CHECK(compressed.program.ops.size() == f.source.program.ops.size() + 4);
  CHECK(Artifact::open(f.dir / "out.lathe").tensor("encoder.layer.0.attention.self.query.weight").tensor.shape ==
        Shape{32, 32});
}

TEST_CASE("a fallback is in the notes, and an error under strict", "[compress][pipeline]") {
  const TempDir dir;
  TinyModel tiny;
  tiny.tensors["embeddings.LayerNorm.weight"].values[3] = 0;  // one input that never changes
  tiny.tensors["embeddings.LayerNorm.bias"].values[3] = 0;
  const SourceModel source = open_source(tiny.write(dir), false);
  Recipe recipe = quick_recipe("int4", 0.5);
  recipe.prune_method = PruneMethod::error_feedback;
  recipe.quant_method = QuantMethod::error_feedback;
  recipe.calibration_tokens = 1;  // fewer tokens than inputs
  recipe.layers = {{"re:.*", "int4"}};
  const CompressedModel compressed = compress_to(source, recipe, dir / "out.lathe");
  std::string notes;
  for (const std::string& note : compressed.notes) notes += note + "\n";
  size_t fallbacks = 0;
  for (const WeightFacts& weight : compressed.weights) {
    fallbacks += weight.fallbacks.size();
    for (const std::string& text : weight.fallbacks) CHECK_THAT(notes, Contains(weight.name + ": " + text));
  }
  REQUIRE(fallbacks > 0);
  recipe.strict = true;
  expect_error(Errc::unsupported, {"encoder.layer.", "--strict"},
               [&] { compress_to(source, recipe, dir / "no.lathe"); });
  CHECK_FALSE(std::filesystem::exists(dir / "no.lathe"));
}

TEST_CASE("strict changes nothing but the recipe where there is no fallback", "[compress][pipeline]") {
  const Fixture f;
  Recipe recipe = f.recipe("int8", 0, Data::none);
  recipe.strict = true;
  CHECK(compress_to(f.source, recipe, f.dir / "out.lathe").file_bytes > 0);
}

TEST_CASE("progress is told in stages whose steps grow", "[compress][pipeline]") {
  const Fixture f;
  Listener listener;
  const Recipe recipe = f.recipe("int8", 0.5);
  ArtifactWriter writer(f.dir / "out.lathe");
  compress(test::resolved(f.source, recipe).work, make_compression_plan(f.source, recipe), writer, listener, 1);
  CHECK(listener.stages.size() >= 3);
  CHECK(listener.stages.back() == "writing");
  CHECK(listener.in_order);
  CHECK(listener.asked > 8);
}

TEST_CASE("whenever the user stops it, nothing is written and what was there stays", "[compress][pipeline]") {
  const Fixture f;
  const Recipe recipe = f.recipe("int8", 0.5);
  const std::string old = "what was there before";
  Listener patient;
  {
    ArtifactWriter writer(f.dir / "whole.lathe");
    compress(test::resolved(f.source, recipe).work, make_compression_plan(f.source, recipe), writer, patient, 1);
  }
  for (int questions = 0; questions < patient.asked; ++questions) {
    CAPTURE(questions);
    f.dir.write("old/out.lathe", old);
    Listener impatient(questions);
    expect_error(Errc::interrupted, {}, [&] {
      ArtifactWriter writer(f.dir / "old/out.lathe");
      compress(test::resolved(f.source, recipe).work, make_compression_plan(f.source, recipe), writer, impatient, 1);
    });
    CHECK(test::file_bytes(f.dir / "old/out.lathe") == old);
    const auto entries = std::filesystem::directory_iterator(f.dir / "old");
    CHECK(std::distance(begin(entries), end(entries)) == 1);
  }
}

TEST_CASE("bad calibration text fails before anything is written", "[compress][pipeline]") {
  const Fixture f;
  for (const char* text : {"", "the cat\n", "\xff\xfe\n"}) {
    Recipe recipe = f.recipe("int8", 0);
    recipe.calibration_file = f.dir.write("bad.txt", text).string();
    expect_error(Errc::malformed, {"bad.txt"}, [&] { compress_to(f.source, recipe, f.dir / "out.lathe"); });
    CHECK_FALSE(std::filesystem::exists(f.dir / "out.lathe"));
  }
}

TEST_CASE("errors of layers are small, and those of the methods with data smaller", "[compress][pipeline]") {
  const Fixture f;
  const CompressedModel compressed = compress_to(f.source, f.recipe("int4", 0.5, Data::text), f.dir / "out.lathe");
  size_t linear = 0;
  for (const WeightFacts& weight : compressed.weights) {
    INFO(weight.name << " " << weight.method);
    REQUIRE(weight.loss.has_value());
    CHECK(*weight.loss < 1);
    if (weight.role != "linear") continue;
    ++linear;
    REQUIRE(weight.loss_uncorrected.has_value());
    CHECK(*weight.loss < *weight.loss_uncorrected);
  }
  CHECK(linear == 12);
}

}  // namespace lathe
