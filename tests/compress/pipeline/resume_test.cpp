// What a compression keeps on disk: how it goes on after a stop, and how little memory it needs.

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "compress/job/stop.h"
#include "compress/methods/encode.h"
#include "compress/pipeline/finished_layer.h"
#include "compress/pipeline/provenance.h"
#include "compress/pipeline/tensor_store.h"
#include "tests/cli/command.h"
#include "tests/formats/expect_error.h"
#include "tests/support/compress_tiny.h"
#include "tests/support/tiny_decoder.h"

namespace lathe {
namespace {

using test::expect_error;
using test::file_bytes;
using test::quick_recipe;
using test::TempDir;
using test::TinyDecoder;
using test::TinyModel;

// Wants to stop once so many groups are done.
class StopAfter : public SilentProgress {
 public:
  explicit StopAfter(size_t groups) : groups_(groups) {}
  void advance(uint64_t) override { ++done_; }
  bool cancelled() const override { return done_ >= groups_; }

 private:
  size_t groups_;
  size_t done_ = 0;
};

// All that the report says of the compression.
std::string told(const CompressedModel& model) {
  std::string text = to_text(results(model.weights, model.training)) + model.calibration + model.provenance_json;
  for (const std::string& note : model.notes) text += "\n" + note;
  for (const WeightFacts& facts : model.weights) {
    text += message("\n", facts.role, facts.encoding, facts.bytes, " ", facts.sparsity, " ", facts.bits_per_weight);
    for (const uint64_t size : facts.shape) text += message(" ", size);
  }
  return text;
}

struct Job {
  TempDir dir;
  SourceModel source;
  Recipe recipe;
  std::filesystem::path state = dir / "state";
  std::filesystem::path out = dir / "out.lathe";

  explicit Job(const std::string& model, const Recipe& wanted = quick_recipe("int4", 0.5)) : recipe(wanted) {
    source = model == "decoder" ? TinyDecoder().source(dir) : open_source(TinyModel().write(dir), false);
    recipe.training.state_folder = state.string();
  }

  CompressedModel run(Progress& progress) const {
    ArtifactWriter writer(out);
    return compress(test::resolved(source, recipe).work, make_compression_plan(source, recipe), writer, progress, 1);
  }
  CompressedModel run() const {
    SilentProgress silent;
    return run(silent);
  }
  // What a run gives that keeps nothing and is not stopped.
  std::pair<std::string, std::string> uninterrupted() const {
    Recipe plain = recipe;
    plain.training.state_folder.clear();
    const CompressedModel model = test::compress_to(source, plain, dir / "plain.lathe");
    return {file_bytes(dir / "plain.lathe"), told(model)};
  }
  // Whether it was stopped.
  bool stops_after(size_t groups) const {
    StopAfter progress(groups);
    try {
      run(progress);
    } catch (const ResumableStop&) {
      return true;
    }
    return false;
  }
  std::filesystem::path group(size_t index) const { return state / message("compression-000", index, ".safetensors"); }
  size_t files() const {
    const auto entries = std::filesystem::directory_iterator(state);
    return static_cast<size_t>(std::distance(begin(entries), end(entries)));
  }
};

uint64_t inode(const std::filesystem::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

Recipe low_rank_recipe() {
  Recipe recipe = quick_recipe("int8", 0.3);
  recipe.low_rank = 6;
  return recipe;
}

Recipe global_recipe() {
  Recipe recipe = quick_recipe("int8", 0.4);
  recipe.prune_scope = PruneScope::global;
  return recipe;
}

std::map<std::string, EncodedBuffer> some_tensors() {
  std::map<std::string, EncodedBuffer> tensors;
  tensors["a"] = encode_vector({1, 2, 3}, {});
  tensors["b"] = encode_vector({4}, {ValueType::f16, Sparsity::dense, 0});
  return tensors;
}

// A sentence encoder with layers of 2.1 MB.
std::string write_deep_model(const TempDir& dir, uint64_t layers) {
  constexpr uint64_t kWide = 208;
  TinyModel model;
  model.tensors.clear();
  model.config["hidden_size"] = std::to_string(kWide);
  model.config["num_hidden_layers"] = std::to_string(layers);
  model.config["intermediate_size"] = std::to_string(4 * kWide);
  const auto add = [&](const std::string& name, uint64_t outputs, uint64_t inputs) {
    model.add_random(name + ".weight", {outputs, inputs}, 0.05f);
    model.add_random(name + ".bias", {outputs}, 0.05f);
  };
  const auto add_norm = [&](const std::string& name) {
    model.add_random(name + ".weight", {kWide}, 0.5f);
    model.add_random(name + ".bias", {kWide}, 0.05f);
  };
  model.add_random("embeddings.word_embeddings.weight", {model.vocabulary.size(), kWide}, 0.5f);
  model.add_random("embeddings.position_embeddings.weight", {TinyModel::kPositions, kWide}, 0.1f);
  model.add_random("embeddings.token_type_embeddings.weight", {TinyModel::kSegments, kWide}, 0.1f);
  add_norm("embeddings.LayerNorm");
  for (uint64_t layer = 0; layer < layers; ++layer) {
    const std::string at = "encoder.layer." + std::to_string(layer) + ".";
    for (const char* name : {"query", "key", "value"}) add(at + "attention.self." + name, kWide, kWide);
    add(at + "attention.output.dense", kWide, kWide);
    add_norm(at + "attention.output.LayerNorm");
    add(at + "intermediate.dense", 4 * kWide, kWide);
    add(at + "output.dense", kWide, 4 * kWide);
    add_norm(at + "output.LayerNorm");
  }
  return model.write(dir, message("layers", layers)).string();
}

// What the command says that compressing took, in MB; weights stay in f32, but calibration runs.
double peak_megabytes(const std::string& arguments) {
  const auto result = test::run_compress(arguments +
                                         " --layer re:.*query.weight=f16 --calibration-tokens 256"
                                         " --no-bench --json --threads 1");
  INFO(result.err);
  REQUIRE(result.code == 0);
  const Json report = parse_json(result.out, "report");
  return report.at("compress_peak_memory_bytes").as_f64() / 1e6;
}

}  // namespace

TEST_CASE("a compression that was stopped goes on and ends as if it had not been", "[compress][resume]") {
  const Job job(GENERATE("bert", "decoder"), GENERATE(quick_recipe("int4", 0.5), low_rank_recipe(), global_recipe()));
  const auto [bytes, report] = job.uninterrupted();
  size_t groups = 0;
  while (std::filesystem::remove_all(job.state), job.stops_after(groups)) {
    CAPTURE(groups);
    CHECK(job.files() == groups);
    CHECK_FALSE(std::filesystem::exists(job.out));
    std::vector<uint64_t> before;
    for (size_t i = 0; i < groups; ++i) before.push_back(inode(job.group(i)));
    const CompressedModel model = job.run();
    CHECK(file_bytes(job.out) == bytes);
    CHECK(told(model) == report);
    for (size_t i = 0; i < groups; ++i) CHECK(inode(job.group(i)) == before[i]);
    std::filesystem::remove(job.out);
    ++groups;
  }
  CHECK(groups > 8);  // tables and layers
}

TEST_CASE("a compression that is stopped after every group gets there all the same", "[compress][resume]") {
  const Job job(GENERATE("bert", "decoder"));
  size_t stops = 0;
  while (job.stops_after(stops + 1)) ++stops;
  CHECK(stops > 7);
  CHECK(file_bytes(job.out) == job.uninterrupted().first);
}

TEST_CASE("without a folder a stop is not resumable and says that nothing was written", "[compress][resume]") {
  Job job("bert");
  job.recipe.training.state_folder.clear();
  StopAfter progress(3);
  try {
    job.run(progress);
    FAIL("it was not stopped");
  } catch (const ResumableStop&) {
    FAIL("nothing is kept");
  } catch (const Error& error) {
    CHECK(error.code() == Errc::interrupted);
    CHECK_THAT(error.what(), Catch::Matchers::Contains("nothing was written"));
  }
}

TEST_CASE("a folder of another job is refused, naming what differs", "[compress][resume]") {
  Job job("bert");
  REQUIRE(job.stops_after(4));
  const std::string file = "compression-0000.safetensors";
  SECTION("another recipe") {
    job.recipe.prune = 0.6;
    expect_error(Errc::usage, {file, "recipe.prune is 0.5 there and 0.6 here", "--resume"}, [&] { job.run(); });
    job.recipe.prune = 0.5;
    job.recipe.input_bits = 8;
    expect_error(Errc::usage, {file, "recipe.input_bits is missing there and 8 here"}, [&] { job.run(); });
  }
  SECTION("another model") {
    Job other("decoder");
    other.recipe.training.state_folder = job.recipe.training.state_folder;
    expect_error(Errc::usage, {file, "provenance.model is \"model\" there and \"decoder\" here"}, [&] { other.run(); });
  }
  SECTION("another tokenizer") {
    job.source.tokenizer.vocabulary.back() = "evening";
    expect_error(Errc::usage, {file, "tokenizer is"}, [&] { job.run(); });
  }
  CHECK(job.files() == 4);
}

TEST_CASE("no damage to a kept group goes into a file", "[compress][resume]") {
  const Job job("bert");
  const std::string bytes = job.uninterrupted().first;
  REQUIRE(job.stops_after(5));
  const std::filesystem::path file = job.group(3);
  const std::string whole = file_bytes(file);
  const auto check = [&](const std::string& content) {
    job.dir.write("state/" + file.filename().string(), content);
    try {
      job.run();
      CHECK(file_bytes(job.out) == bytes);  // the damage was in nothing that matters
    } catch (const Error& error) {
      CHECK_THAT(error.what(), Catch::Matchers::Contains(file.string()));
    }
  };
  for (const size_t size : {size_t{0}, size_t{7}, whole.size() / 2, whole.size() - 1}) check(whole.substr(0, size));
  for (size_t at = 0; at < whole.size(); at += whole.size() / 60) {
    CAPTURE(at);
    std::string content = whole;
    content[at] = static_cast<char>(content[at] ^ 4);
    check(content);
  }
  std::string last = whole;
  last.back() = static_cast<char>(last.back() ^ 1);
  job.dir.write("state/" + file.filename().string(), last);
  expect_error(Errc::malformed, {file.string(), "checksum", "remove this file"}, [&] { job.run(); });
  std::filesystem::remove(file);
  job.run();
  CHECK(file_bytes(job.out) == bytes);
}

TEST_CASE("what a kill leaves of a file in the folder is ignored", "[compress][resume]") {
  const Job job("bert");
  REQUIRE(job.stops_after(2));
  job.dir.write("state/.compression-0002.safetensors.123.tmp", "half a f");
  job.dir.write("state/distillation.safetensors", "of a training");
  job.run();
  CHECK(file_bytes(job.out) == job.uninterrupted().first);
}

TEST_CASE("without a folder finished tensors lie in files without a name", "[compress][resume]") {
  Job job("bert");
  const std::string bytes = job.uninterrupted().first;
  job.recipe.training.state_folder.clear();
  const TempDir temporary;
  const char* before = std::getenv("TMPDIR");
  const std::optional<std::string> kept = before == nullptr ? std::nullopt : std::optional<std::string>(before);
  class Watch : public SilentProgress {
   public:
    explicit Watch(const std::filesystem::path& folder) : folder_(folder) {}
    void advance(uint64_t) override { CHECK(std::filesystem::is_empty(folder_)); }

   private:
    std::filesystem::path folder_;
  } watch(temporary.path());
  ::setenv("TMPDIR", temporary.path().c_str(), 1);
  job.run(watch);
  ::setenv("TMPDIR", (temporary / "nowhere").c_str(), 1);
  expect_error(Errc::cannot_create, {"nowhere", "TMPDIR"}, [&] { job.run(); });
  kept ? ::setenv("TMPDIR", kept->c_str(), 1) : ::unsetenv("TMPDIR");
  CHECK(file_bytes(job.out) == bytes);
}

TEST_CASE("the store gives back what was put in, from either kind of file", "[compress][resume]") {
  const TempDir dir;
  const std::string folder = GENERATE("", "state");
  const auto path = folder.empty() ? std::filesystem::path() : dir / "deep" / folder;
  TensorStore store(path, Json::object({{"a", 1}}));
  CHECK_FALSE(store.find("first"));
  store.put("first", some_tensors(), "facts");
  store.put("second", {{"c", encode_vector({5, 6}, {})}}, "");
  CHECK(decode(store.at("a")) == std::vector<float>{1, 2, 3});
  store.release();
  CHECK(decode(store.at("b")) == std::vector<float>{4});
  CHECK(store.tensors().size() == 3);
  store.hold("a", encode_vector({7}, {}));
  CHECK(decode(store.copies().at("a").view()) == std::vector<float>{7});
  CHECK(decode(store.copies().at("c").view()) == std::vector<float>{5, 6});
  expect_error(Errc::internal, {"nothing"}, [&] { store.at("nothing"); });
  if (folder.empty()) return;
  TensorStore again(path, Json::object({{"a", 1}}));
  CHECK(again.find("first") == "facts");
  CHECK(again.contains("b"));
  CHECK_FALSE(again.contains("c"));
  TensorStore other(path, Json::object({{"a", Json::object()}}));
  expect_error(Errc::usage, {"a is 1 there and {} here"}, [&] { other.find("first"); });
}

TEST_CASE("what is known of a finished layer survives the folder bit for bit", "[compress][resume]") {
  FinishedLayer layer;
  layer.weights.resize(2);
  layer.weights[0] = {"w.up", {3, 4}, "linear", "int4/32", 77, 0.1 + 0.2, 4.5, "nearest", 1e-300, {}, {"a", "b\n"}};
  layer.weights[1].loss = std::numeric_limits<double>::quiet_NaN();
  layer.rounding_share = 1.0 / 3;
  const std::string text = finished_text({layer, {}});
  const std::vector<FinishedLayer> read = parse_finished(text, "test");
  CHECK(finished_text(read) == text);
  REQUIRE(read.size() == 2);
  CHECK(read[0].rounding_share == 1.0 / 3);
  CHECK_FALSE(read[1].rounding_share);
  CHECK(read[0].weights[0].sparsity == 0.1 + 0.2);
  CHECK(read[0].weights[0].loss == 1e-300);
  CHECK_FALSE(read[0].weights[0].loss_uncorrected);
  CHECK(read[0].weights[0].fallbacks == layer.weights[0].fallbacks);
  CHECK(std::isnan(read[0].weights[1].loss.value()));
  expect_error(Errc::malformed, {"test"}, [] { parse_finished("[{}]", "test"); });
}

TEST_CASE("memory does not grow with the number of layers, nor when going on", "[compress][resume][memory]") {
  constexpr double kSlack = 6;
  const TempDir dir;
  const std::string common =
      " --texts " + test::quoted(dir.write("texts", "the cat sat\n")) + " -o " + test::quoted(dir / "out.lathe");
  const double few = peak_megabytes(test::quoted(write_deep_model(dir, 3)) + common);
  const std::string deep = test::quoted(write_deep_model(dir, 12)) + common;  // 19 MB more
  const double many = peak_megabytes(deep);
  const std::string resume = " --resume " + test::quoted(dir / "state");
  const double kept = peak_megabytes(deep + resume);
  const std::string bytes = file_bytes(dir / "out.lathe");
  const std::filesystem::path last =
      dir / "state" / "compression-0050.safetensors";  // three tables, four groups a layer
  CHECK(std::filesystem::remove(last));
  const double resumed = peak_megabytes(deep + resume);
  CAPTURE(few, many, kept, resumed);
  CHECK(many < few + kSlack);
  CHECK(kept < few + kSlack);
  CHECK(resumed < few + kSlack);
  CHECK(std::filesystem::exists(last));
  CHECK(file_bytes(dir / "out.lathe") == bytes);
}

}  // namespace lathe
