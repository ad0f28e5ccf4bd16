#include "runtime/text/embedder.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "tests/formats/expect_error.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_artifact.h"

namespace lathe {
namespace {

using test::expect_error;
using test::TempDir;
using test::TinyOptions;
using test::write_tiny;

std::vector<float> row(const std::vector<float>& rows, size_t index, size_t width) {
  return {rows.begin() + static_cast<ptrdiff_t>(index * width),
          rows.begin() + static_cast<ptrdiff_t>((index + 1) * width)};
}

// More than one batch of 4096 tokens, lengths mixed up.
std::vector<std::string> many_texts() {
  const std::vector<std::string> words = {"cat", "dog", "sun", "moon", "the", "sat"};
  std::vector<std::string> texts;
  for (size_t i = 0; i < 700; ++i) {
    std::string text;
    for (size_t n = 0; n < i * 7 % 13; ++n) text += words[(i + n * n) % words.size()] + " ";
    texts.push_back(text);
  }
  return texts;
}

}  // namespace

TEST_CASE("embeddings come in the order of the texts, each as if it were alone", "[runtime][embedder]") {
  const TempDir dir;
  const bool int8 = GENERATE(false, true);
  TinyOptions options;
  options.int8 = int8;
  const Model model = Model::open(write_tiny(dir / "m.lathe", options));
  Embedder embedder(model, 2);
  const std::vector<std::string> texts = many_texts();
  const std::vector<float> rows = embedder.embed(texts);
  REQUIRE(embedder.dimension() == 32);
  REQUIRE(rows.size() == texts.size() * 32);
  for (const size_t i : {size_t{0}, size_t{1}, size_t{12}, size_t{13}, size_t{350}, size_t{699}}) {
    INFO("text " << i << ": " << texts[i]);
    CHECK(row(rows, i, 32) == embedder.embed({texts[i]}));
  }
  CHECK(row(rows, 1, 32) != row(rows, 2, 32));
}

TEST_CASE("embeddings do not depend on the number of threads", "[runtime][embedder]") {
  const TempDir dir;
  const Model model = Model::open(write_tiny(dir / "m.lathe"));
  CHECK(Embedder(model, 1).embed(many_texts()) == Embedder(model, 3).embed(many_texts()));
}

TEST_CASE("no texts give no rows and an empty text gives one", "[runtime][embedder]") {
  const TempDir dir;
  const Model model = Model::open(write_tiny(dir / "m.lathe"));
  Embedder embedder(model, 1);
  CHECK(embedder.embed({}).empty());
  CHECK(embedder.tokens("") == std::vector<int32_t>{2, 3});
  const std::vector<float> rows = embedder.embed({""});
  REQUIRE(rows.size() == 32);
  CHECK(std::isfinite(rows[0]));
}

TEST_CASE("a long text is cut at what the position table holds", "[runtime][embedder]") {
  const TempDir dir;
  const Model model = Model::open(write_tiny(dir / "m.lathe"));
  Embedder embedder(model, 1);
  std::string text;
  for (int i = 0; i < 100; ++i) text += "cat ";
  const std::vector<int32_t> ids = embedder.tokens(text);
  REQUIRE(ids.size() == 32);
  CHECK(ids.front() == 2);
  CHECK(ids.back() == 3);
  CHECK(embedder.embed({text}) == embedder.embed({text + "dog"}));
}

TEST_CASE("an artifact without a tokenizer cannot embed text and says so", "[runtime][embedder]") {
  const TempDir dir;
  TinyOptions options;
  options.tokenizer = false;
  const Model model = Model::open(write_tiny(dir / "m.lathe", options));
  expect_error(Errc::unsupported, {"m.lathe", "tokenizer"}, [&] { Embedder{model}; });
}

TEST_CASE("a tokenizer with more ids than the embedding table has rows is refused", "[runtime][embedder]") {
  const TempDir dir;
  const Model model = Model::open(write_tiny(dir / "m.lathe"));
  TokenizerSpec spec = test::tiny_tokenizer();
  spec.vocabulary.emplace_back("comet");
  expect_error(Errc::malformed, {"m.lathe", "18"}, [&] { Embedder(model, spec); });
}

}  // namespace lathe
