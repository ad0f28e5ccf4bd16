#include "compress/evaluation/verify_language.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "compress/evaluation/language.h"
#include "compress/pipeline/inputs.h"
#include "compress/report/report.h"
#include "formats/json.h"
#include "tests/formats/expect_error.h"
#include "tests/support/compress_tiny.h"
#include "tests/support/tiny_decoder.h"

namespace lathe {
namespace {

using Catch::Matchers::Contains;
using test::expect_error;
using test::TempDir;

struct Fixture {
  TempDir dir;
  SourceModel source = test::TinyDecoder().source(dir);
  Recipe recipe = test::quick_recipe("int8");
  std::filesystem::path file = dir / "out.lathe";
  CompressedModel compressed = test::compress_to(source, recipe, file);
  ProofRequest request;
  bool measure_speed = false;

  Fixture() { request.context = 32; }
  Report run() const {
    SilentProgress progress;
    TextFiles files;
    ResolvedInputs inputs = resolve_inputs(source, recipe, files);
    const Proof proof = make_proof(source, request, std::move(inputs.calibration), made_up_proof(recipe), files);
    return lathe::verify(source, compressed, file, proof, {measure_speed, 1}, progress);
  }
  std::string text(const std::string& name, size_t lines) const {
    return dir.write(name, test::tiny_prose(lines)).string();
  }
};

std::string all_notes(const Report& report) {
  std::string text;
  for (const std::string& note : report.notes) text += note + "\n";
  return text;
}

}  // namespace

TEST_CASE("a decoder is proved by its perplexity and by how its predictions differ", "[compress][verify]") {
  Fixture f;
  f.request.task = EvalSpec{"lm", f.text("prose.txt", 100)};
  f.request.windows = 7;
  const Report report = f.run();
  CHECK_FALSE(report.models[1].fidelity.has_value());
  REQUIRE(report.models[0].task.has_value());
  REQUIRE(report.models[1].task.has_value());
  REQUIRE(report.models[1].predictions.has_value());
  CHECK_FALSE(report.models[0].predictions.has_value());
  const EvalResult& before = *report.models[0].task;
  const EvalResult& after = *report.models[1].task;
  CHECK(before.items == 7 * 31);
  CHECK(before.main().value > 100);  // it knows nothing of English
  CHECK(before.main().value != after.main().value);
  const PredictionResult& predictions = *report.models[1].predictions;
  CHECK(predictions.tokens == 7 * 31);
  CHECK(predictions.mean_kl > 0);
  CHECK(predictions.mean_kl < 0.01);
  CHECK(predictions.same_top > 0.9);
  CHECK(predictions.log_ratio == Approx(std::log(after.main().value / before.main().value)).margin(1e-6));
  CHECK_THAT(all_notes(report), Contains("7 windows of 32 tokens of prose.txt"));

  // The artifact alone, measured again, says the same.
  const Model model = Model::open(f.file);
  Session session(model, 1);
  SilentProgress progress;
  const LanguageData data = read_language_data(f.request.task->file, Tokenizer(f.source.tokenizer), {32, 7});
  CHECK(token_losses(session, data, progress).perplexity() == after.main().value);
}

TEST_CASE("without --eval a decoder is proved on given text, on what calibration left, or on made-up tokens",
          "[compress][verify]") {
  Fixture f;
  Report report = f.run();
  CHECK_THAT(all_notes(report), Contains("made-up"));
  CHECK_FALSE(report.models[1].task.has_value());
  CHECK(report.models[1].predictions.has_value());

  f.recipe.calibration_file = f.text("calibration.txt", 400);
  report = f.run();
  CHECK_THAT(all_notes(report), Contains("of calibration.txt that calibration did not use"));
  const size_t left = test::samples_of(f.source, f.recipe).text.unused_windows.sequences();
  CHECK(report.models[1].predictions->tokens == std::min<size_t>(left, 40) * 31);

  f.recipe.calibration_tokens = 1'000'000;
  CHECK_THAT(all_notes(f.run()), Contains("no text is left in calibration.txt") && Contains("made-up"));

  f.request.texts_file = f.text("other.txt", 50);
  CHECK_THAT(all_notes(f.run()), Contains("of other.txt"));
}

TEST_CASE("a decoder is not proved on what it was trained on", "[compress][verify]") {
  Fixture f;
  f.recipe.calibration_file = f.text("calibration.txt", 400);
  f.recipe.training.data_file = f.recipe.calibration_file;
  CHECK_THAT(all_notes(f.run()), Contains("no text is left in calibration.txt"));
}

TEST_CASE("a note says when a decoder is proved on the text that it was calibrated on", "[compress][verify]") {
  Fixture f;
  f.recipe.calibration_file = f.text("calibration.txt", 400);
  f.request.texts_file = f.text("copy.txt", 400);
  CHECK_THAT(all_notes(f.run()), Contains("calibration used the same text"));
  f.request.texts_file = f.text("other.txt", 300);
  CHECK_THAT(all_notes(f.run()), !Contains("calibration used the same text"));
}

TEST_CASE("the speed of a decoder is that of prompts and of tokens one by one", "[compress][verify]") {
  Fixture f;
  f.measure_speed = true;
  const Report report = f.run();
  for (const ModelReport& model : report.models) {
    REQUIRE(model.speed.size() >= 2);
    CHECK(model.speed.front().kind == SpeedKind::prefill);
    CHECK(model.speed.front().length == 128);
    CHECK(model.speed.back().kind == SpeedKind::decode);
    CHECK(model.speed.back().length == 64);
    CHECK(model.speed.back().cache_bytes > 0);
    CHECK(model.speed.back().tokens_per_second == Approx(64'000 / model.speed.back().p50_ms));
  }
  CHECK_THAT(report_text(report), Contains("prompt of 128 tokens") && Contains("64 tokens one by one"));
}

TEST_CASE("the drop of a decoder is the increase of its perplexity", "[compress][verify]") {
  Report report;
  report.models.resize(2);
  report.models[1].predictions = PredictionResult{100, 0.01, 0.1, 0.9, std::log(1.04), 0.01};
  CHECK(apply_gates({0.0401, {}, {}}, report));
  CHECK_FALSE(apply_gates({0.0399, {}, {}}, report));
  CHECK(report.gates[1].actual == Approx(0.04));

  report.gates.clear();
  EvalMetric before{"perplexity", "Perplexity", 20}, after{"perplexity", "Perplexity", 22};
  report.models[0].task = EvalResult{"lm", "t", 100, "tokens", {before}};
  report.models[1].task = EvalResult{"lm", "t", 100, "tokens", {after}};
  CHECK(apply_gates({0.1001, {}, {}}, report));
  CHECK_FALSE(apply_gates({0.0999, {}, {}}, report));
  CHECK(report.gates[0].actual == Approx(0.1));
  CHECK_THAT(report_text(report), Contains("at most 10.01 % of the perplexity"));
  report.gates.clear();
  report.models[1].task->metrics[0].value = 15;  // a lower one always passes
  CHECK(apply_gates({0.0, {}, {}}, report));
}

TEST_CASE("every form of the report has the figures of a decoder", "[compress][verify]") {
  Fixture f;
  f.request.task = EvalSpec{"lm", f.text("prose.txt", 100)};
  f.measure_speed = true;
  const Report report = f.run();
  const Json json = parse_json(report_json(report), "report");
  const Json& model = json.at("models").items().at(1);
  CHECK(model.at("fidelity").is_null());
  CHECK(model.at("predictions").at("mean_kl").as_f64() == report.models[1].predictions->mean_kl);
  CHECK(model.at("predictions").at("same_top").as_f64() <= 1);
  CHECK(model.at("task").at("perplexity").as_f64() == report.models[1].task->main().value);
  CHECK(model.at("task").at("perplexity_error").as_f64() > 0);
  CHECK(model.at("task").at("perplexity_difference").is_number());
  CHECK(model.at("speed").items().at(0).at("case").as_string() == "pp128");
  CHECK(model.at("speed").items().at(0).at("cache_bytes").as_u64() > 0);
  for (const std::string& text : {report_text(report), report_markdown(report), report_html(report)}) {
    CHECK_THAT(text, Contains("Perplexity") && Contains("Mean KL") && Contains("Same token") &&
                         Contains("prompt of 128 tokens"));
  }
  CHECK_THAT(report_markdown(report), Contains("KL p99") && Contains("Perplexity ratio") && Contains("Std. error"));
  // The head is a part of the file of its own, and all parts add up to it.
  for (const ModelReport& each : report.models) {
    uint64_t bytes = 0, head = 0;
    for (const SizeItem& item : each.sizes) {
      bytes += item.bytes;
      if (item.label == "head") head = item.bytes;
    }
    CHECK(bytes == each.file_bytes);
    CHECK(head > 0);
  }
}

}  // namespace lathe
