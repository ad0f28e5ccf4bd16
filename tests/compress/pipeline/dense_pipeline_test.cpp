// A model that reads feature rows or images, from the checkpoint to the report.

#include <catch2/catch.hpp>

#include "compress/evaluation/verify.h"
#include "compress/report/report.h"
#include "formats/json.h"
#include "tests/formats/expect_error.h"
#include "tests/support/compress_tiny.h"
#include "tests/support/tiny_mlp.h"

namespace lathe {
namespace {

using Catch::Contains;
using test::expect_error;
using test::kMlpClasses;
using test::mlp_samples;
using test::TempDir;

struct Fixture {
  TempDir dir;
  CompressionInputs inputs;
  std::filesystem::path file = dir / "out.lathe";
  SilentProgress progress;

  Fixture(const RowShape& shape, const std::string& quant, double prune) {
    inputs.source = test::tiny_mlp(dir.path(), shape);
    inputs.recipe = test::quick_recipe(quant, prune);
    inputs.samples = Samples{{}, mlp_samples(shape, 600, 3), "600 rows of features", {}};
  }

  CompressedModel run(size_t threads = 2) {
    ArtifactWriter writer(file);
    const CompressionPlan plan = make_compression_plan(inputs.source, inputs.recipe);
    return compress(inputs, plan, writer, progress, threads);
  }
};

}  // namespace

TEST_CASE("a network over dense tensors is compressed, and the artifact computes what its weights say",
          "[compress][dense][pipeline]") {
  const RowShape shape = GENERATE(RowShape(24), RowShape(2, 3, 4));
  const double prune = GENERATE(0.0, 0.5);
  CAPTURE(prune);
  Fixture f(shape, "int8", prune);
  const CompressedModel compressed = f.run();
  CHECK(compressed.calibration == "600 rows of features");

  const Model model = Model::open(f.file);
  CHECK(model.program() == f.inputs.source.program);
  test::PlainMlp network{{}, /*quantize=*/true};
  size_t zeros = 0, integers = 0;
  for (const StoredTensor& stored : model.artifact()->tensors()) {
    std::vector<float>& weights = network.weights[stored.name] = decode(stored.tensor);
    if (stored.tensor.encoding.values != ValueType::int8) continue;
    integers += weights.size();
    zeros += static_cast<size_t>(std::count(weights.begin(), weights.end(), 0.0f));
  }
  CHECK(integers == 24 * test::kMlpHidden + test::kMlpHidden * test::kMlpHidden + test::kMlpHidden * kMlpClasses);
  CHECK(static_cast<double>(zeros) >= prune * static_cast<double>(integers));

  const DenseSamples rows = mlp_samples(shape, 40, 4);
  Session session(model, 1);
  const std::vector<float> logits = run_samples(session, rows);
  for (size_t s = 0; s < rows.count; ++s) {
    const std::vector<double> expected = network.logits(rows.inputs[0].data() + s * shape.size(), shape.size());
    // Where an input lies between two steps, the two may round it to different sides.
    for (size_t c = 0; c < kMlpClasses; ++c) CHECK(logits[s * kMlpClasses + c] == Approx(expected[c]).margin(0.02));
  }
}

TEST_CASE("the artifact of a network over dense tensors is the same for any number of threads",
          "[compress][dense][pipeline]") {
  Fixture f(24, "int8", 0.5);
  f.run(1);
  const std::string one = test::file_bytes(f.file);
  f.run(3);
  CHECK(test::file_bytes(f.file) == one);
}

TEST_CASE("a network over dense tensors is verified on samples and reported", "[compress][dense][verify]") {
  Fixture f(24, "int8", 0.0);
  const CompressedModel compressed = f.run();
  Proof proof;
  proof.samples = mlp_samples(24, 100, 5);
  const Report report = verify(f.inputs.source, compressed, f.file, proof, {true, 1}, f.progress);
  const FidelityResult& fidelity = report.models.at(1).fidelity.value();
  CHECK(fidelity.texts == 100);
  CHECK(fidelity.mean > 0.999);
  CHECK(fidelity.agreement.value() > 0.95);
  CHECK(report.models.at(1).weights.size() == 6);

  CHECK_THAT(report_text(report), Contains("mlp") && Contains("Cosine") &&
                                      Contains("the speed was not measured: the model reads dense tensors"));
  CHECK_THAT(report_html(report), Contains("layer1.weight") && Contains("600 rows of features"));
  const Json json = parse_json(report_json(report), "report");
  CHECK(json.at("title", "report").as_string("title") == "mlp");
}

TEST_CASE("texts and training are refused for models that read dense tensors", "[compress][dense][pipeline]") {
  Fixture f(24, "int8", 0.0);
  TextFiles files;
  expect_error(Errc::usage, {"the model reads dense tensors, which cannot be made from text"},
               [&] { resolve_inputs(f.inputs.source, f.inputs.recipe, files); });
  SECTION("samples of another width") {
    f.inputs.samples->dense = mlp_samples(23, 600, 3);
    expect_error(Errc::malformed, {"features", "600 samples of 24"}, [&] { f.run(); });
  }
  SECTION("training") {
    f.inputs.recipe.recovery = Recovery::blocks;
    expect_error(Errc::unsupported, {"cannot be trained"}, [&] { f.run(); });
  }
}

}  // namespace lathe
