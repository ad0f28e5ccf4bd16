#include "compress/evaluation/describe.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <numeric>

#include "tests/formats/expect_error.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_artifact.h"
#include "tests/support/tiny_decoder.h"

namespace lathe {
namespace {

using test::expect_error;
using test::TempDir;
using test::TinyOptions;
using test::write_tiny;

const WeightFacts& find(const ModelReport& report, const std::string& name) {
  for (const WeightFacts& weight : report.weights) {
    if (weight.name == name) return weight;
  }
  FAIL("no weight " << name);
  return report.weights.front();
}

uint64_t bytes_of(const ModelReport& report, const std::string& label) {
  for (const SizeItem& item : report.sizes) {
    if (item.label == label) return item.bytes;
  }
  FAIL("no size " << label);
  return 0;
}

}  // namespace

TEST_CASE("the sizes of an artifact add up to the file", "[compress][measure]") {
  const TempDir dir;
  TinyOptions options;
  options.int8 = GENERATE(false, true);
  const auto path = write_tiny(dir / "m.lathe", options);
  const ModelReport report = describe(open_timed(path), "tiny");
  const uint64_t sum = std::accumulate(report.sizes.begin(), report.sizes.end(), uint64_t{0},
                                       [](uint64_t total, const SizeItem& item) { return total + item.bytes; });
  CHECK(sum == std::filesystem::file_size(path));
  CHECK(report.file_bytes == sum);
  const uint64_t linear = 4 * 32 * 32 + 2 * 32 * 64;  // weights
  CHECK(bytes_of(report, "linear values") == (options.int8 ? linear : 4 * linear));
  CHECK(bytes_of(report, "scales") == (options.int8 ? 2 * (5 * 32 + 64) : 0));
  CHECK(bytes_of(report, "embeddings") == 4 * 32 * (18 + 32));
  CHECK(bytes_of(report, "norms and biases") == 4 * (4 * 32 + 5 * 32 + 64));
  CHECK(bytes_of(report, "tokenizer") > 0);
}

TEST_CASE("weights are described with role, encoding and real bits per weight", "[compress][measure]") {
  const TempDir dir;
  TinyOptions options;
  options.int8 = true;
  const ModelReport report = describe(open_timed(write_tiny(dir / "m.lathe", options)), "tiny");
  CHECK(report.name == "tiny");
  CHECK(report.load_ms > 0);
  CHECK_FALSE(report.isa.empty());
  CHECK(report.parameters == 32 * 50 + 6 * 32 * 32 + 2 * 32 * 32 + (5 * 32 + 64) + 4 * 32);
  const WeightFacts& up = find(report, "up.weight");
  CHECK(up.role == "linear");
  CHECK(up.encoding == "int8");
  CHECK(up.shape == std::vector<uint64_t>{64, 32});
  CHECK(up.bits_per_weight == Approx(8.5));  // a 16-bit scale for each row of 32
  CHECK(up.sparsity > 0);                    // some integers round to zero
  CHECK(up.sparsity < 0.1);
  CHECK(find(report, "words").role == "embedding");
  CHECK(find(report, "norm1.gamma").role == "other");
  CHECK(find(report, "norm1.gamma").bits_per_weight == Approx(32));
}

TEST_CASE("what the pipeline wrote about layers stands beside their weights", "[compress][measure]") {
  const TempDir dir;
  TinyOptions options;
  options.results = R"({"layers":[{"name":"up.weight","loss":0.25,"loss_uncorrected":0.5,"method":"nearest",)"
                    R"("fallbacks":["damping raised"]},{"name":"gone.weight","loss":1}]})";
  const ModelReport report = describe(open_timed(write_tiny(dir / "m.lathe", options)), "tiny");
  const WeightFacts& up = find(report, "up.weight");
  CHECK(up.loss == 0.25);
  CHECK(up.loss_uncorrected == 0.5);
  CHECK(up.method == "nearest");
  CHECK(up.fallbacks == std::vector<std::string>{"damping raised"});
  CHECK_FALSE(find(report, "down.weight").loss.has_value());
}

TEST_CASE("sections that break their format are refused by name", "[compress][measure]") {
  const TempDir dir;
  const auto refuse_results = [&](const std::string& text, const std::vector<std::string>& parts) {
    TinyOptions options;
    options.results = text;
    const auto path = write_tiny(dir / "m.lathe", options);
    expect_error(Errc::malformed, parts, [&] { describe(open_timed(path), "x"); });
  };
  refuse_results("{", {"m.lathe", "results"});
  refuse_results("{}", {"results", "layers"});
  refuse_results(R"({"layers":[{"loss":1}]})", {"results", "name"});
  refuse_results(R"({"layers":[{"name":"up.weight","loss":"small"}]})", {"up.weight", "loss"});
  TinyOptions options;
  options.task = "kind=x\nnonsense\n";
  const Artifact artifact = Artifact::open(write_tiny(dir / "m.lathe", options));
  expect_error(Errc::malformed, {"m.lathe", "task", "nonsense"}, [&] { task_fields(artifact); });
}

TEST_CASE("the task is read as pairs in their order", "[compress][measure]") {
  const TempDir dir;
  const Artifact artifact = Artifact::open(write_tiny(dir / "m.lathe"));
  const auto fields = task_fields(artifact);
  REQUIRE(fields.size() == 5);
  CHECK(fields[0] == std::pair<std::string, std::string>("kind", "sentence-embedding"));
  CHECK(fields[4] == std::pair<std::string, std::string>("source", "tiny"));
  CHECK(section_json(artifact, layout::Section::results, "results").is_null());
  CHECK(section_json(artifact, layout::Section::recipe, "recipe").at("quant").as_string() == "f32");
}

TEST_CASE("an artifact says what a decoder was made for", "[compress][measure]") {
  const TempDir dir;
  test::TinyDecoderOptions options;
  options.tied = GENERATE(false, true);
  const test::TinyDecoder decoder(options);
  const TimedModel opened = open_timed(decoder.write(dir / "d.lathe"));
  const Task task = stored_task(*opened.model.artifact());
  CHECK(task.generates());
  CHECK(task.architecture == "llama");
  CHECK(task.context == 128);
  CHECK(task.rope_theta == 10000);
  CHECK(task.dimension == 265);
  CHECK(stored_tokenizer(*opened.model.artifact()) == decoder.tokenizer);

  const ModelReport report = describe(opened, "d");
  uint64_t sum = 0;
  for (const SizeItem& item : report.sizes) sum += item.bytes;
  CHECK(sum == report.file_bytes);
  CHECK(bytes_of(report, "embeddings") == 4 * 265 * 32);
  CHECK(find(report, "model.embed_tokens.weight").role == "embedding");
  const auto is_head = [](const SizeItem& item) { return item.label == "head"; };
  CHECK(std::count_if(report.sizes.begin(), report.sizes.end(), is_head) == (options.tied ? 0 : 1));
  if (options.tied) return;
  CHECK(bytes_of(report, "head") == 4 * 265 * 32);
  CHECK(find(report, "lm_head.weight").role == "head");
}

}  // namespace lathe
