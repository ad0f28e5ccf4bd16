// The executor: what comes out depends on a sequence alone, not on its company, the threads or the past.

#include "runtime/session.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <thread>

#include "formats/json.h"
#include "tests/cli/command.h"
#include "tests/formats/expect_error.h"
#include "tests/support/compress_tiny.h"

namespace lathe {
namespace {

using test::expect_error;
using test::TempDir;
using test::TinyModel;

/// Chooses the kernels of the models opened while it lives.
class WithIsa {
 public:
  explicit WithIsa(const std::string& isa) {
    if (const char* before = std::getenv("LATHE_ISA")) before_ = before;
    ::setenv("LATHE_ISA", isa.c_str(), 1);
  }
  WithIsa(const WithIsa&) = delete;
  WithIsa& operator=(const WithIsa&) = delete;
  ~WithIsa() {
    if (before_) {
      ::setenv("LATHE_ISA", before_->c_str(), 1);
    } else {
      ::unsetenv("LATHE_ISA");
    }
  }

 private:
  std::optional<std::string> before_;
};

// What LATHE_ISA may name on this CPU, from the lowest level to the best.
std::vector<std::string> available_levels() {
  std::vector<std::string> levels;
  for (const char* level : {"generic", "avx2", "avx512vnni"}) {
    const WithIsa chosen(level);
    try {
      levels.push_back(instruction_set_of(Device::cpu));
    } catch (const Error&) {
      break;
    }
  }
  return levels;
}

struct Variant {
  const char* quant;
  double prune;
};
constexpr Variant kVariants[] = {{"f32", 0}, {"f16", 0}, {"int8", 0}, {"int4", 0}, {"int8", 0.5}, {"int4", 0.5}};

struct Fixture {
  TempDir dir;

  std::filesystem::path artifact(const Variant& variant) const {
    const SourceModel source = open_source(TinyModel().write(dir), false);
    test::compress_to(source, test::quick_recipe(variant.quant, variant.prune), dir / "out.lathe");
    return dir / "out.lathe";
  }
};

std::vector<int32_t> made_up(size_t index) {
  std::vector<int32_t> ids(1 + index * 11 % TinyModel::kPositions);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>((index * 7 + i * 5) % 46);
  return ids;
}

TokenBatch ragged(size_t sequences) {
  TokenBatch batch;
  for (size_t i = 0; i < sequences; ++i) batch.add(made_up(i));
  return batch;
}

std::vector<float> row(const std::vector<float>& rows, size_t index) {
  const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(index * TinyModel::kHidden);
  return {begin, begin + TinyModel::kHidden};
}

double relative_difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(a[i]) - b[i]));
    largest = std::max(largest, std::abs(static_cast<double>(b[i])));
  }
  return worst / largest;
}

// Rounding of sums in f32; with 8-bit activations every level computes the same bits.
constexpr double kTolerance = 1e-5;

}  // namespace

TEST_CASE("a sequence gives the same bits alone and in any batch, on every level and number of threads",
          "[runtime][session]") {
  const size_t which = GENERATE(range(0, 6));
  const Variant& variant = kVariants[which];
  const Fixture f;
  const std::filesystem::path file = f.artifact(variant);
  const TokenBatch batch = ragged(40);
  REQUIRE(batch.tokens() > 700);  // several chunks
  for (const std::string& isa : available_levels()) {
    CAPTURE(variant.quant, variant.prune, isa);
    const WithIsa level(isa);
    const Model model = Model::open(file);
    REQUIRE(model.description().instruction_set == isa);
    const std::vector<float> together = Session(model, 1).embed(batch);
    CHECK(Session(model, 2).embed(batch) == together);
    CHECK(Session(model, 3).embed(batch) == together);
    CHECK(Session(model, 7).embed(batch) == together);
    Session session(model, 2);
    for (size_t i = 0; i < batch.sequences(); ++i) {
      TokenBatch alone;
      alone.add(made_up(i));
      CHECK(session.embed(alone) == row(together, i));
    }
  }
}

TEST_CASE("all levels agree", "[runtime][session]") {
  const size_t which = GENERATE(range(0, 6));
  const Variant& variant = kVariants[which];
  const Fixture f;
  const std::filesystem::path file = f.artifact(variant);
  std::vector<float> expected;
  for (const std::string& isa : available_levels()) {
    CAPTURE(variant.quant, variant.prune, isa);
    const WithIsa level(isa);
    const Model model = Model::open(file);
    const std::vector<float> rows = Session(model, 1).embed(ragged(40));
    if (expected.empty()) expected = rows;
    CHECK(relative_difference(rows, expected) < kTolerance);
  }
}

TEST_CASE("the command computes the same under every LATHE_ISA, and says which one it was", "[runtime][session]") {
  const Variant& variant = kVariants[GENERATE(0, 4)];
  const Fixture f;
  const std::string file = test::quoted(f.artifact(variant).string());
  const std::string lines = test::quoted(f.dir.write("lines.txt", test::tiny_text(30)).string());
  std::vector<float> expected;
  std::vector<std::string> better = available_levels();
  for (const std::string& isa : available_levels()) {
    const std::string variable = "LATHE_ISA=" + isa;
    CAPTURE(variant.quant, variable);
    const auto rows = test::run_compress("run " + file + " -f f32 --quiet -i " + lines, variable);
    REQUIRE(rows.code == 0);
    std::vector<float> values(rows.out.size() / sizeof(float));
    std::memcpy(values.data(), rows.out.data(), values.size() * sizeof(float));
    REQUIRE(values.size() == 30 * TinyModel::kHidden);
    if (expected.empty()) expected = values;
    CHECK(relative_difference(values, expected) < kTolerance);
    const auto shown = test::run_compress("inspect --json " + file, variable);
    CHECK(parse_json(shown.out, "inspect").at("isa").as_string() == isa);
    better.erase(better.begin());
    for (const std::string& other : better) CHECK_THAT(shown.out, !Catch::Contains("_" + other));
  }
  const auto unknown = test::run_compress("run " + file + " --text a", "LATHE_ISA=avx1024");
  CHECK(unknown.code == 64);
  CHECK_THAT(unknown.err, Catch::Contains("LATHE_ISA=avx1024") && Catch::Contains("generic"));
}

TEST_CASE("a session gives the same again, after larger and after smaller batches", "[runtime][session]") {
  const size_t threads = GENERATE(1, 3);
  const Fixture f;
  const Model model = Model::open(f.artifact({"int8", 0.5}));
  Session session(model, threads);
  for (const size_t sequences : {1, 2, 5, 40, 3, 100, 1, 40}) {
    CAPTURE(sequences);
    const TokenBatch batch = ragged(sequences);
    const std::vector<float> rows = session.embed(batch);
    CHECK(session.embed(batch) == rows);
    CHECK(Session(model, threads).embed(batch) == rows);
  }
}

TEST_CASE("a batch of nothing gives nothing", "[runtime][session]") {
  const Fixture f;
  const Model model = Model::open(f.artifact({"int8", 0}));
  CHECK(Session(model, 2).embed({}).empty());
}

TEST_CASE("sessions of one model run at the same time", "[runtime][session]") {
  const Fixture f;
  const Model model = Model::open(f.artifact({"int4", 0.5}));
  const TokenBatch batch = ragged(20);
  const std::vector<float> expected = Session(model, 1).embed(batch);
  std::vector<std::vector<float>> results(4);
  std::vector<std::thread> callers;
  for (std::vector<float>& result : results) {
    callers.emplace_back([&] { result = Session(model, 2).embed(batch); });
  }
  for (std::thread& caller : callers) caller.join();
  for (const std::vector<float>& result : results) CHECK(result == expected);
}

TEST_CASE("segment ids are added from their table, and zero is the default", "[runtime][session]") {
  const Fixture f;
  const Model model = Model::open(f.artifact({"f32", 0}));
  Session session(model, 1);
  TokenBatch batch = ragged(5);
  const std::vector<float> plain = session.embed(batch);
  batch.segments.assign(batch.tokens(), 0);
  CHECK(session.embed(batch) == plain);
  batch.segments.assign(batch.tokens(), 1);
  CHECK(relative_difference(session.embed(batch), plain) > 1e-3);
}

TEST_CASE("ids and lengths outside the tables are errors that name the bound", "[runtime][session]") {
  const Fixture f;
  const Model model = Model::open(f.artifact({"int8", 0}));
  Session session(model, 2);
  const auto expect_refused = [&](const std::vector<int32_t>& ids, const std::vector<int32_t>& segments,
                                  const std::vector<std::string>& parts) {
    TokenBatch batch = ragged(3);
    batch.add(ids);
    batch.segments = segments;
    expect_error(Errc::usage, parts, [&] { session.embed(batch); });
  };
  expect_refused({}, {}, {"sequence 3", "0 tokens", "[1, 40]"});
  expect_refused(std::vector<int32_t>(41, 1), {}, {"sequence 3", "41 tokens", "[1, 40]"});
  expect_refused({5, 46}, {}, {"token id 46", "vocabulary of 46"});
  expect_refused({5, -1}, {}, {"token id -1"});
  expect_refused({5, 6}, {0, 1}, {"2 segment ids"});
  expect_refused({5}, std::vector<int32_t>(ragged(3).tokens() + 1, 2), {"segment id 2", "table of 2"});
  CHECK(session.embed(ragged(3)).size() == 3 * TinyModel::kHidden);  // and it works on
}

}  // namespace lathe
