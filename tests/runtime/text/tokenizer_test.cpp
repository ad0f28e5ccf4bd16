#include "runtime/text/tokenizer.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

#include "tests/formats/expect_error.h"
#include "tests/runtime/text/tokenizer_data.h"

namespace lathe {
namespace {

using Ids = std::vector<int32_t>;
using test::expect_error;
using test::small_spec;

Ids encode(std::string_view text, const TokenizerSpec& spec = small_spec()) { return Tokenizer(spec).encode(text); }

TokenizerSpec with_token(AddedToken token) {
  TokenizerSpec spec = small_spec();
  token.id = static_cast<uint32_t>(spec.vocabulary.size());
  spec.vocabulary.push_back(token.content);
  spec.added_tokens.push_back(token);
  return spec;
}
constexpr int32_t kNew = 18;  // the id that with_token gives

TEST_CASE("a word is cut into the longest pieces from left to right", "[text]") {
  CHECK(encode("") == Ids{2, 3});
  CHECK(encode("unaffable") == Ids{2, 5, 6, 7, 3});
  CHECK(encode("UNAFFABLE!") == Ids{2, 5, 6, 7, 12, 3});
  CHECK(encode("aab") == Ids{2, 10, 11, 13, 3});
  CHECK(encode("affable able") == Ids{2, 8, 7, 9, 3});
}

TEST_CASE("a word that the pieces do not cover is one unknown token", "[text]") {
  CHECK(encode("unaffablez a") == Ids{2, 1, 10, 3});
  CHECK(encode("z") == Ids{2, 1, 3});
  CHECK(encode("b") == Ids{2, 1, 3});  // only known inside a word
}

TEST_CASE("a word of too many characters is one unknown token", "[text]") {
  CHECK(encode(std::string(100, 'a')).size() == 102);
  CHECK(encode(std::string(101, 'a')) == Ids{2, 1, 3});
  TokenizerSpec spec = small_spec();
  spec.max_chars_per_word = 2;
  CHECK(encode("aa", spec) == Ids{2, 10, 11, 3});
  CHECK(encode("aab", spec) == Ids{2, 1, 3});
}

TEST_CASE("the steps of the normalizer follow the spec", "[text]") {
  TokenizerSpec cased = small_spec();
  cased.lowercase = cased.strip_accents = false;
  CHECK(encode("Caf\xC3\xA9 \xC3\xA9") == Ids{2, 14, 1, 3});
  CHECK(encode("cafe\xCC\x81") == Ids{2, 14, 3});
  CHECK(encode("\xC3\xA9", cased) == Ids{2, 16, 3});
  CHECK(encode("Un un", cased) == Ids{2, 17, 5, 3});
  CHECK(encode("a\xE4\xB8\xAD"
               "a") == Ids{2, 10, 15, 10, 3});
  TokenizerSpec joined = small_spec();
  joined.split_chinese = false;
  CHECK(encode("a\xE4\xB8\xAD"
               "a",
               joined) == Ids{2, 1, 3});
}

TEST_CASE("bytes that are not UTF-8 are dropped like U+FFFD", "[text]") {
  CHECK(encode("un\xFF"
               "aff\xE2\x82"
               "able\xC3") == Ids{2, 5, 6, 7, 3});
  CHECK(encode(std::string_view("a\0b", 3)) == Ids{2, 10, 13, 3});
}

TEST_CASE("long texts are cut, begin and end stay", "[text]") {
  const Tokenizer tokenizer(small_spec());
  CHECK(tokenizer.encode("unaffable a", 2) == Ids{2, 3});
  CHECK(tokenizer.encode("unaffable a", 4) == Ids{2, 5, 6, 3});
  CHECK(tokenizer.encode("unaffable a", 6) == Ids{2, 5, 6, 7, 10, 3});
  CHECK(tokenizer.encode("[MASK] [MASK] a", 3) == Ids{2, 4, 3});
  CHECK(tokenizer.encode("a!a!", Tokenizer::kNoLimit) == Ids{2, 10, 12, 10, 12, 3});
  expect_error(Errc::usage, {"max_length is 1"}, [&] { tokenizer.encode("a", 1); });
  TokenizerSpec spec = small_spec();
  spec.max_length = 3;
  CHECK(encode("a!a!", spec) == Ids{2, 10, 3});
}

TEST_CASE("a prefix goes before every text and is cut with it", "[text]") {
  TokenizerSpec spec = small_spec();
  spec.text_prefix = "a ";
  CHECK(encode("able", spec) == encode("a able"));
  CHECK(encode("", spec) == encode("a"));
  spec.text_prefix = "un";
  CHECK(encode("affable", spec) == encode("unaffable"));  // one text
  CHECK(Tokenizer(spec).encode("affable able", 4) == Tokenizer(small_spec()).encode("unaffable able", 4));
}

TEST_CASE("special tokens are found in the raw text", "[text]") {
  CHECK(encode("a[MASK]a [SEP]") == Ids{2, 10, 4, 10, 3, 3});
  CHECK(encode("[mask]") == Ids{2, 1, 1, 1, 3});
  CHECK(encode("[[CLS]") == Ids{2, 1, 2, 3});
}

TEST_CASE("of added tokens that start at one place the longest is taken", "[text]") {
  TokenizerSpec spec = with_token({.content = "[MASK]a"});
  CHECK(encode("[MASK]aa [MASK]!", spec) == Ids{2, kNew, 10, 4, 12, 3});
}

TEST_CASE("a normalized added token is found in the normalized text", "[text]") {
  CHECK(encode("a\xC3\x89X! ex", with_token({.content = "eX", .normalized = true})) == Ids{2, 10, kNew, 12, kNew, 3});
  CHECK(encode("eX ex", with_token({.content = "eX"})) == Ids{2, kNew, 1, 3});
}

TEST_CASE("a token that was added behind the vocabulary is no piece of a word", "[text]") {
  CHECK(encode("Zz zz", with_token({.content = "zz"})) == Ids{2, 1, kNew, 3});
}

TEST_CASE("an added token of a single word touches no word", "[text]") {
  const TokenizerSpec spec = with_token({.content = "<x>", .single_word = true});
  CHECK(encode("<x>", spec) == Ids{2, kNew, 3});
  CHECK(encode("a <x> a", spec) == Ids{2, 10, kNew, 10, 3});
  CHECK(encode("!<x>!", spec) == Ids{2, 12, kNew, 12, 3});
  for (const char* touching : {"a<x>", "<x>a", "\xC3\xA9<x>", "<x>\xCC\x81", "_<x>", "\xE2\x80\x8D<x>"}) {
    CAPTURE(touching);
    const Ids ids = encode(touching, spec);
    CHECK(std::count(ids.begin(), ids.end(), kNew) == 0);
  }
}

TEST_CASE("an added token swallows white space where its flags say so", "[text]") {
  TokenizerSpec spec = small_spec();
  spec.clean_text = false;
  const text::AddedTokenFinder left({{.id = 7, .content = "<x>", .lstrip = true}});
  const text::AddedTokenFinder right({{.id = 7, .content = "<x>", .rstrip = true}});
  const std::string text = "a \xE2\x80\x83<x> \n<x>b";
  const auto pieces = [&](const text::AddedTokenFinder& finder) {
    std::vector<std::string> out;
    for (const text::Segment& segment : finder.split(text)) {
      out.push_back((segment.id == 7 ? "7:" : "") + std::string(segment.text));
    }
    return out;
  };
  CHECK(pieces(left) == std::vector<std::string>{"a", "7: \xE2\x80\x83<x>", "7: \n<x>", "b"});
  CHECK(pieces(right) == std::vector<std::string>{"a \xE2\x80\x83", "7:<x> \n", "7:<x>", "b"});
}

TEST_CASE("white space that one added token has swallowed is not found again", "[text]") {
  const text::AddedTokenFinder finder({{.id = 7, .content = " ", .lstrip = true, .rstrip = true}});
  const std::vector<text::Segment> segments = finder.split("a   b");
  REQUIRE(segments.size() == 3);
  CHECK(segments[1].text == "   ");
}

TEST_CASE("a spec with which text cannot be cut is refused", "[text]") {
  expect_error(Errc::unsupported, {"kind 0"}, [] { Tokenizer{TokenizerSpec{}}; });
  for (uint32_t TokenizerSpec::*id : {&TokenizerSpec::unknown_id, &TokenizerSpec::begin_id, &TokenizerSpec::end_id}) {
    TokenizerSpec spec = small_spec();
    spec.*id = 18;
    expect_error(Errc::malformed, {"18"}, [&] { Tokenizer{spec}; });
  }
  TokenizerSpec spec = small_spec();
  spec.added_tokens.push_back({.id = 18, .content = "x"});
  expect_error(Errc::malformed, {"18"}, [&] { Tokenizer{spec}; });
}

TEST_CASE("a tokenizer outlives its copies and moves", "[text]") {
  Tokenizer first(small_spec());
  Tokenizer second = first;
  const Tokenizer third = std::move(first);
  second = third;
  CHECK(second.encode("unaffable") == Ids{2, 5, 6, 7, 3});
  CHECK(third.encode("unaffable") == Ids{2, 5, 6, 7, 3});
  CHECK(third.vocabulary_size() == 18);
}

TEST_CASE("threads share one tokenizer", "[text]") {
  const Tokenizer tokenizer(small_spec());
  const std::string text = "unaffable caf\xC3\xA9 [MASK] z!";
  const Ids expected = tokenizer.encode(text);
  std::vector<size_t> wrong(4);
  std::vector<std::thread> threads;
  for (size_t& count : wrong) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) count += tokenizer.encode(text) == expected ? 0U : 1U;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == std::vector<size_t>(4));
}

}  // namespace
}  // namespace lathe
