#include "compress/calibration/samples.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "runtime/text/tokenizer.h"
#include "tests/formats/expect_error.h"
#include "tests/support/compress_tiny.h"
#include "tests/support/tiny_decoder.h"

namespace lathe {
namespace {

using Catch::Matchers::Contains;
using test::expect_error;
using test::quick_recipe;
using test::TempDir;
using test::TinyModel;

struct Fixture {
  TempDir dir;
  SourceModel source = open_source(TinyModel().write(dir), false);

  Recipe with_text(const std::string& text) const {
    Recipe recipe = quick_recipe("int8");
    recipe.calibration_file = dir.write("calibration.txt", text).string();
    return recipe;
  }
};

// A decoder and a text for it; samples are windows of 16 tokens.
struct DecoderFixture {
  TempDir dir;
  SourceModel source = test::TinyDecoder().source(dir);
  Recipe recipe;

  explicit DecoderFixture(size_t lines = 200) {
    recipe.calibration_file = dir.write("prose.txt", test::tiny_prose(lines)).string();
    recipe.calibration_length = 16;
    recipe.calibration_tokens = 320;
  }
  std::vector<int32_t> ids() const {
    return Tokenizer(source.tokenizer).encode_plain(read_text(recipe.calibration_file));
  }
};

// Where in the text each window lies, which begins at a multiple of its length.
std::vector<size_t> places(const TokenBatch& batch, const std::vector<int32_t>& ids, size_t length) {
  std::vector<size_t> found;
  for (size_t i = 0; i < batch.sequences(); ++i) {
    for (size_t at = found.empty() ? 0 : found.back() + length; at + length <= ids.size(); at += length) {
      if (!std::equal(ids.begin() + static_cast<ptrdiff_t>(at), ids.begin() + static_cast<ptrdiff_t>(at + length),
                      batch.ids.begin() + batch.starts[i])) {
        continue;
      }
      found.push_back(at);
      break;
    }
  }
  return found;
}

std::vector<int32_t> sequence(const TokenBatch& batch, size_t index) {
  return {batch.ids.begin() + batch.starts[index], batch.ids.begin() + batch.starts[index + 1]};
}

}  // namespace

TEST_CASE("an empty calibration file is an error that names it", "[compress][samples]") {
  const Fixture f;
  for (const char* text : {"", "\n\n", "\r\n"}) {
    const Recipe recipe = f.with_text(text);
    expect_error(Errc::malformed, {"calibration.txt"}, [&] { test::samples_of(f.source, recipe); });
  }
}

TEST_CASE("too little calibration text is an error with what there is and what is needed", "[compress][samples]") {
  const Fixture f;
  const Recipe recipe = f.with_text("the cat sat on the mat.\n");
  expect_error(Errc::malformed, {"calibration.txt", "9 tokens", "256"}, [&] { test::samples_of(f.source, recipe); });
}

TEST_CASE("calibration text that is not UTF-8 is an error that names the line", "[compress][samples]") {
  const Fixture f;
  const Recipe recipe = f.with_text(test::tiny_text(50) + "the caf\xe9 was old\n" + test::tiny_text(50));
  expect_error(Errc::malformed, {"calibration.txt", "51"}, [&] { test::samples_of(f.source, recipe); });
}

TEST_CASE("a calibration file that is not there is an error that names it", "[compress][samples]") {
  const Fixture f;
  Recipe recipe = quick_recipe("int8");
  recipe.calibration_file = (f.dir / "absent.txt").string();
  expect_error(Errc::no_input, {"absent.txt"}, [&] { test::samples_of(f.source, recipe); });
}

TEST_CASE("samples are whole lines as the tokenizer reads them, cut at the length", "[compress][samples]") {
  const Fixture f;
  Recipe recipe = f.with_text(test::tiny_text(200));
  recipe.calibration_length = 9;
  const Samples samples = test::samples_of(f.source, recipe);
  const Tokenizer tokenizer(f.source.tokenizer);
  std::set<std::vector<int32_t>> possible;
  for (const std::string& line : read_lines(recipe.calibration_file)) possible.insert(tokenizer.encode(line, 9));
  for (size_t i = 0; i < samples.batch.sequences(); ++i) {
    CHECK(samples.batch.length(i) <= 9);
    CHECK(possible.contains(sequence(samples.batch, i)));
  }
  CHECK_THAT(samples.description, Contains("of 200 lines of calibration.txt"));
  CHECK_THAT(samples.description, Contains(std::to_string(samples.batch.tokens()) + " tokens"));
}

TEST_CASE("as many tokens are taken as the recipe wants, and the rest of the lines is left", "[compress][samples]") {
  const Fixture f;
  const Recipe recipe = f.with_text(test::tiny_text(200));
  const Samples samples = test::samples_of(f.source, recipe);
  CHECK(samples.batch.tokens() >= recipe.calibration_tokens);
  CHECK(samples.batch.tokens() < recipe.calibration_tokens + recipe.calibration_length);
  const std::vector<std::string>& left = samples.text.unused_lines;
  CHECK(samples.text.used_lines.size() == samples.batch.sequences());
  CHECK(left.size() + samples.batch.sequences() == 200);
  const std::vector<std::string> lines = read_lines(recipe.calibration_file);
  auto at = lines.begin();
  for (const std::string& line : left) {
    at = std::find(at, lines.end(), line);  // in the order of the file
    REQUIRE(at != lines.end());
    ++at;
  }
}

TEST_CASE("a line with the text of a sample is not left, and repeated samples are counted", "[compress][samples]") {
  const Fixture f;
  std::string repeated;
  for (int i = 0; i < 100; ++i) repeated += "the cat sat on the mat.\n";
  Recipe recipe = f.with_text(repeated + test::tiny_text(3));
  recipe.calibration_tokens = 600;
  const Samples samples = test::samples_of(f.source, recipe);
  CHECK(samples.batch.sequences() > 10);
  CHECK(samples.batch.sequences() < 100);
  const std::vector<std::string>& left = samples.text.unused_lines;
  CHECK(left.size() <= 3);
  CHECK(std::count(left.begin(), left.end(), "the cat sat on the mat.") == 0);
  CHECK_THAT(samples.description, Contains("of them have the same text as another"));
}

TEST_CASE("the seed chooses the lines", "[compress][samples]") {
  const Fixture f;
  Recipe recipe = f.with_text(test::tiny_text(200));
  const Samples first = test::samples_of(f.source, recipe);
  CHECK(test::samples_of(f.source, recipe).batch.ids == first.batch.ids);
  recipe.seed = 1;
  CHECK(test::samples_of(f.source, recipe).batch.ids != first.batch.ids);
}

TEST_CASE("made-up samples are sequences that the model can read", "[compress][samples]") {
  const Fixture f;
  Recipe recipe = quick_recipe("int8");
  recipe.calibration_length = GENERATE(3u, 17u, 128u);
  CAPTURE(recipe.calibration_length);
  const Samples samples = test::samples_of(f.source, recipe);
  CHECK_THAT(samples.description, Contains("synthetic"));
  CHECK(samples.batch.tokens() >= recipe.calibration_tokens);
  std::set<int32_t> seen;
  for (size_t i = 0; i < samples.batch.sequences(); ++i) {
    const std::vector<int32_t> ids = sequence(samples.batch, i);
    REQUIRE(ids.size() >= 3);
    CHECK(ids.size() <= std::min<size_t>(recipe.calibration_length, TinyModel::kPositions));
    CHECK(ids.front() == 2);
    CHECK(ids.back() == 3);
    for (size_t t = 1; t + 1 < ids.size(); ++t) {
      CHECK(ids[t] >= 5);  // no placeholder in brackets
      CHECK(ids[t] < static_cast<int32_t>(f.source.tokenizer.vocabulary.size()));
      seen.insert(ids[t]);
    }
  }
  CHECK(seen.size() > 30);
}

TEST_CASE("a decoder is calibrated on windows from all over the text, and the others are left", "[compress][samples]") {
  const DecoderFixture f;
  const std::vector<int32_t> ids = f.ids();
  const size_t windows = ids.size() / 16;
  REQUIRE(windows > 60);
  const Samples samples = test::samples_of(f.source, f.recipe);
  REQUIRE(samples.batch.sequences() == 20);
  const std::vector<size_t> at = places(samples.batch, ids, 16);
  REQUIRE(at.size() == 20);
  for (size_t i = 0; i < at.size(); ++i) {
    CHECK(samples.batch.length(i) == 16);
    CHECK(at[i] / 16 >= i * windows / 20);
    CHECK(at[i] / 16 < (i + 1) * windows / 20);
  }
  CHECK_THAT(samples.description, Contains("20 of " + std::to_string(windows) + " windows of 16 tokens of prose.txt"));
  CHECK_THAT(samples.description, Contains("(320 tokens)"));

  const TokenBatch& left = samples.text.unused_windows;
  CHECK(left.sequences() == windows - 20);
  std::set<std::vector<int32_t>> all;
  for (size_t i = 0; i < windows; ++i) {
    all.insert({ids.begin() + static_cast<ptrdiff_t>(16 * i), ids.begin() + static_cast<ptrdiff_t>(16 * i + 16)});
  }
  for (size_t i = 0; i < left.sequences(); ++i) CHECK(all.contains(sequence(left, i)));
}

TEST_CASE("the seed chooses the windows of a decoder", "[compress][samples]") {
  DecoderFixture f;
  const std::vector<int32_t> first = test::samples_of(f.source, f.recipe).batch.ids;
  CHECK(test::samples_of(f.source, f.recipe).batch.ids == first);
  f.recipe.seed = 1;
  CHECK(test::samples_of(f.source, f.recipe).batch.ids != first);
}

TEST_CASE("a decoder takes the whole text when it has no more, and needs enough of it", "[compress][samples]") {
  DecoderFixture f(40);
  f.recipe.calibration_tokens = 1'000'000;
  const std::vector<int32_t> ids = f.ids();
  const Samples samples = test::samples_of(f.source, f.recipe);
  CHECK(samples.batch.sequences() == ids.size() / 16);
  CHECK(samples.text.unused_windows.sequences() == 0);
  CHECK(std::equal(samples.batch.ids.begin(), samples.batch.ids.end(), ids.begin()));
  f.recipe.calibration_length = 65536;  // no more than the model was made for
  CHECK(test::samples_of(f.source, f.recipe).batch.length(0) == 128);
  f.recipe.calibration_file = f.dir.write("short.txt", "the sun").string();
  expect_error(Errc::malformed, {"short.txt", "tokens", "256"}, [&] { test::samples_of(f.source, f.recipe); });
}

TEST_CASE("made-up samples of a decoder have no control tokens", "[compress][samples]") {
  DecoderFixture f;
  f.recipe.calibration_file.clear();
  f.recipe.calibration_tokens = 4096;
  const Samples samples = test::samples_of(f.source, f.recipe);
  CHECK_THAT(samples.description, Contains("synthetic"));
  CHECK(samples.batch.tokens() >= 4096);
  for (const int32_t id : samples.batch.ids) CHECK((id >= 0 && id < 262));
  CHECK(std::set<int32_t>(samples.batch.ids.begin(), samples.batch.ids.end()).size() > 100);
  f.recipe.calibration_tokens = 0;
  CHECK(test::samples_of(f.source, f.recipe).batch.tokens() >= kDefaultDecoderCalibrationTokens);
}

TEST_CASE("the generator of random numbers is the published one", "[compress][samples]") {
  Random random(1234567);  // the first outputs of splitmix64 for this seed
  CHECK(random.next() == 6457827717110365317u);
  CHECK(random.next() == 3203168211198807973u);
  CHECK(random.next() == 9817491932198370423u);
  for (int i = 0; i < 1000; ++i) {
    CHECK(random.below(7) < 7);
    const double uniform = random.uniform();
    CHECK((uniform >= 0 && uniform < 1));
  }
}

}  // namespace lathe
