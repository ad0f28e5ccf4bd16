#include "compress/evaluation/verify.h"

#include <catch2/catch.hpp>

#include "compress/pipeline/inputs.h"
#include "compress/training/training_data.h"
#include "tests/formats/expect_error.h"
#include "tests/support/compress_tiny.h"
#include "tests/support/tiny_texts.h"

namespace lathe {
namespace {

using Catch::Matchers::Contains;
using test::expect_error;
using test::TempDir;
using test::TinyModel;

struct Fixture {
  TempDir dir;
  SourceModel source = open_source(TinyModel().write(dir), false);
  Recipe recipe = test::quick_recipe("int8");
  std::filesystem::path file = dir / "out.lathe";
  CompressedModel compressed = test::compress_to(source, recipe, file);
  SilentProgress progress;

  Report run(const ProofRequest& request = {}, bool measure_speed = false) {
    return lathe::verify(source, compressed, file, proof(request), {measure_speed, 1}, progress);
  }
  Proof proof(const ProofRequest& request) const {
    TextFiles files;
    ResolvedInputs inputs = resolve_inputs(source, recipe, files);
    return make_proof(source, request, std::move(inputs.calibration), made_up_proof(recipe), files);
  }
};

std::string all_notes(const Report& report) {
  std::string text;
  for (const std::string& note : report.notes) text += note + "\n";
  return text;
}

// Two models whose figures a gate looks at.
Report figures() {
  Report report;
  report.models.resize(2);
  report.models[0].task =
      EvalResult{"sts", "x", 10, "pairs", {{"pearson", "Pearson", 0.80}, {"spearman", "Spearman", 0.7}}};
  report.models[1].task =
      EvalResult{"sts", "x", 10, "pairs", {{"pearson", "Pearson", 0.78}, {"spearman", "Spearman", 0.7}}};
  report.models[1].fidelity = FidelityResult{10, 0.97, 0.9, 0.95, {}};
  report.models[1].file_bytes = 1000;
  report.models[0].speed = {{1, 128, 2, 5, 9.0, 9, 9, 1}, {1, 16, 2, 5, 1.0, 1, 1, 1}};
  report.models[1].speed = {{1, 128, 2, 5, 3.0, 3, 3, 1}, {1, 16, 2, 5, 1.0, 1, 1, 1}};
  return report;
}

}  // namespace

TEST_CASE("the report holds original and artifact side by side", "[compress][verify]") {
  Fixture f;
  const Report report = f.run();
  CHECK(report.title == "model");
  REQUIRE(report.models.size() == 2);
  CHECK(report.models[0].name == "original");
  CHECK(report.models[0].file_bytes == f.source.source_bytes());
  CHECK(report.models[1].file_bytes == std::filesystem::file_size(f.file));
  for (const ModelReport& model : report.models) {
    CHECK(model.parameters == f.source.parameters());
    CHECK(model.load_ms > 0);
    CHECK(model.speed.empty());
    uint64_t bytes = 0;
    for (const SizeItem& item : model.sizes) bytes += item.bytes;
    CHECK(bytes == model.file_bytes);
  }
  CHECK(report.models[1].weights.size() == f.source.program.weights.size());
  CHECK(report.recipe_json == f.compressed.recipe_json);
  CHECK(report.provenance_json == f.compressed.provenance_json);
  CHECK_THAT(report.calibration, Contains("synthetic"));
}

TEST_CASE("without any text fidelity is measured on made-up sequences, and a note says so", "[compress][verify]") {
  Fixture f;
  const Report report = f.run();
  REQUIRE(report.models[1].fidelity.has_value());
  CHECK(report.models[1].fidelity->mean > 0.999);
  CHECK(report.models[1].fidelity->mean < 1);
  CHECK_THAT(all_notes(report), Contains("made-up"));
}

TEST_CASE("fidelity prefers the texts that were given, then the task's, then unused calibration lines",
          "[compress][verify]") {
  Fixture f;
  f.recipe.calibration_file = f.dir.write("calibration.txt", test::tiny_text(120)).string();
  ProofRequest request;
  Report report = f.run(request);
  const std::vector<std::string> unused = test::samples_of(f.source, f.recipe).text.unused_lines;
  CHECK(report.models[1].fidelity->texts == unused.size());
  CHECK_THAT(all_notes(report), Contains("calibration.txt (lines that calibration did not use)"));
  request.task = {"sts", f.dir.write("sts.tsv", "the cat\ta cat\t4\nthe sun\tthe river\t1\n").string()};
  report = f.run(request);
  CHECK(report.models[1].fidelity->texts == 4);
  REQUIRE(report.models[0].task.has_value());
  REQUIRE(report.models[1].task.has_value());
  CHECK(report.models[1].task->items == 2);
  request.texts_file = f.dir.write("texts.txt", test::tiny_text(400)).string();
  CHECK(f.run(request).models[1].fidelity->texts == kMaxFidelityTexts);
  request.first_texts = 7;
  CHECK(f.run(request).models[1].fidelity->texts == 7);
}

TEST_CASE("fidelity is measured on no line that was trained on", "[compress][verify]") {
  Fixture f;
  f.recipe.calibration_file = f.dir.write("lines.txt", test::tiny_texts()).string();
  f.recipe.calibration_tokens = 256;
  f.recipe.training.data_file = f.recipe.calibration_file;
  const size_t unused = test::samples_of(f.source, f.recipe).text.unused_lines.size();
  const Report held_out = f.run();
  CHECK(held_out.models[1].fidelity->texts < unused);
  CHECK(held_out.models[1].fidelity->texts <= kMinHeldOutTexts);
  CHECK_THAT(all_notes(held_out), Contains("lines.txt (lines that neither calibration nor training used)"));

  f.recipe.calibration_tokens = 100'000;
  CHECK_THAT(all_notes(f.run()), Contains("no text is left in lines.txt") && Contains("made-up"));
}

TEST_CASE("a text that stands in the proof many times counts once, and a note tells what calibration used",
          "[compress][verify]") {
  Fixture f;
  const std::string lines = test::tiny_text(60);
  f.recipe.calibration_file = f.dir.write("calibration.txt", lines).string();
  f.recipe.calibration_tokens = 100'000;
  ProofRequest request;
  std::string repeated;
  for (int i = 0; i < 50; ++i) repeated += "the cat\n";
  request.texts_file = f.dir.write("texts.txt", repeated).string();
  const Report once = f.run(request);
  CHECK(once.models[1].fidelity->texts == 1);
  CHECK_THAT(all_notes(once), !Contains("calibration used the same text"));
  request.texts_file = f.dir.write("seen.txt", lines + "the cat\n").string();
  const Report seen = f.run(request);
  CHECK_THAT(all_notes(seen), Contains("calibration used the same text for 60 of these 61 texts"));
}

TEST_CASE("what happens to the texts after they were resolved changes nothing", "[compress][verify]") {
  Fixture f;
  f.recipe.calibration_file = f.dir.write("calibration.txt", test::tiny_text(120)).string();
  ProofRequest request;
  request.task = {"sts", f.dir.write("sts.tsv", "the cat\ta cat\t4\nthe sun\tthe river\t1\n").string()};
  request.texts_file = f.dir.write("texts.txt", test::tiny_text(9)).string();
  const auto make = [&] {
    TextFiles files;
    ResolvedInputs inputs = resolve_inputs(f.source, f.recipe, files);
    Proof proof = make_proof(f.source, request, std::move(inputs.calibration), made_up_proof(f.recipe), files);
    return std::pair(std::move(inputs.work), std::move(proof));
  };
  const auto finish = [&](const std::pair<CompressionInputs, Proof>& inputs, const std::string& name) {
    ArtifactWriter writer(f.dir / name);
    const CompressedModel model =
        compress(inputs.first, make_compression_plan(f.source, f.recipe), writer, f.progress, 1);
    return lathe::verify(f.source, model, f.dir / name, inputs.second, {false, 1}, f.progress);
  };
  const Report before = finish(make(), "before.lathe");
  const auto inputs = make();
  f.dir.write("calibration.txt", "something else\n");
  std::filesystem::remove(f.dir / "sts.tsv");
  std::filesystem::remove(f.dir / "texts.txt");
  const Report after = finish(inputs, "after.lathe");
  CHECK(test::file_bytes(f.dir / "after.lathe") == test::file_bytes(f.dir / "before.lathe"));
  CHECK(after.models[1].fidelity->texts == 9);
  CHECK(after.models[1].fidelity->mean == before.models[1].fidelity->mean);
  CHECK(after.models[1].task->main().value == before.models[1].task->main().value);
  CHECK(after.provenance_json == before.provenance_json);
}

TEST_CASE("speed is measured where it is wanted", "[compress][verify]") {
  Fixture f;
  const Report report = f.run({}, true);
  REQUIRE(report.models[0].speed.size() == report.models[1].speed.size());
  REQUIRE_FALSE(report.models[0].speed.empty());
  for (const SpeedCase& speed : report.models[1].speed) {
    CHECK(speed.p50_ms > 0);
    CHECK(speed.length <= TinyModel::kPositions);
  }
}

TEST_CASE("a file that is damaged after it was written does not pass", "[compress][verify]") {
  Fixture f;
  std::string bytes = test::file_bytes(f.file);
  {
    const Artifact artifact = Artifact::open(f.file);
    const Bytes plane = artifact.tensor("encoder.layer.0.output.dense.weight").tensor.planes[0];
    bytes[static_cast<size_t>(plane.data() - artifact.file().bytes().data())] ^= 1;
  }
  f.dir.write("out.lathe", bytes);
  expect_error(Errc::internal, {"out.lathe", "encoder.layer.0.output.dense.weight"}, [&] { f.run(); });
}

TEST_CASE("a file that another run put in the place of the artifact is not reported", "[compress][verify]") {
  Fixture f;
  const CompressedModel first = f.compressed;
  test::compress_to(f.source, test::quick_recipe("int4"), f.file);
  expect_error(Errc::io, {"out.lathe", "another process"}, [&] { f.run(); });
}

TEST_CASE("gates compare with their bound, and equal is good enough", "[compress][verify]") {
  struct Case {
    Gates gates;
    bool passes;
    double actual;
  };
  const std::vector<Case> cases = {{{0.02001, {}, {}}, true, 0.02}, {{0.0199, {}, {}}, false, 0.02},
                                   {{{}, 3.0, {}}, true, 3.0},      {{{}, 3.01, {}}, false, 3.0},
                                   {{{}, {}, 1000}, true, 1000},    {{{}, {}, 999}, false, 1000}};
  for (const Case& one : cases) {
    Report report = figures();
    CHECK(apply_gates(one.gates, report) == one.passes);
    REQUIRE(report.gates.size() == 1);
    CHECK(report.gates[0].passed == one.passes);
    CHECK(report.gates[0].actual == Approx(one.actual));
  }
}

TEST_CASE("one missed gate misses all, and each is in the report", "[compress][verify]") {
  Report report = figures();
  CHECK_FALSE(apply_gates({0.5, 100.0, 2000}, report));
  REQUIRE(report.gates.size() == 3);
  CHECK(report.gates[0].passed);
  CHECK_FALSE(report.gates[1].passed);
  CHECK(report.gates[2].passed);
  Report none = figures();
  CHECK(apply_gates({}, none));
  CHECK(none.gates.empty());
}

TEST_CASE("without a task the drop is that of the mean cosine", "[compress][verify]") {
  Report report = figures();
  report.models[0].task.reset();
  report.models[1].task.reset();
  CHECK(apply_gates({0.031, {}, {}}, report));
  CHECK(report.gates[0].actual == Approx(0.03));
  CHECK(report.gates[0].unit == "mean cosine");
}

TEST_CASE("where the scores are distances, a correlation that rises towards 0 is a drop", "[compress][verify]") {
  Report report = figures();
  report.models[0].task->metrics[0].value = -1;
  report.models[1].task->metrics[0].value = -0.7;
  CHECK_FALSE(apply_gates({0.29, {}, {}}, report));
  CHECK(report.gates[0].actual == Approx(0.3));
}

TEST_CASE("a task that shows nothing of the original leaves the drop to the mean cosine", "[compress][verify]") {
  Report report = figures();
  report.models[0].task->metrics[0].value = 0;
  report.models[1].task->metrics[0].value = 0;
  CHECK_FALSE(apply_gates({0.02, {}, {}}, report));
  CHECK(report.gates[0].unit == "mean cosine");
}

TEST_CASE("a gate on a speed that was not measured is wrong usage", "[compress][verify]") {
  Report report = figures();
  report.models[0].speed.clear();
  report.models[1].speed.clear();
  expect_error(Errc::usage, {"min-speedup"}, [&] { apply_gates({{}, 1.0, {}}, report); });
}

}  // namespace lathe
