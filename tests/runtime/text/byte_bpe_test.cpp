#include "runtime/text/byte_bpe.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "runtime/text/stream_decoder.h"
#include "runtime/text/tokenizer.h"
#include "runtime/text/unicode/nfc.h"
#include "tests/formats/expect_error.h"
#include "tests/runtime/text/tokenizer_data.h"

namespace lathe {
namespace {

using Ids = std::vector<int32_t>;
using test::expect_error;
using test::small_bpe_spec;

constexpr int32_t kStart = 265, kEnd = 266, kTool = 267;

TEST_CASE("bytes are merged in the order of the merges", "[text][bpe]") {
  const Tokenizer tokenizer(small_bpe_spec());
  CHECK(tokenizer.encode("") == Ids{});
  CHECK(tokenizer.encode("hello world") == Ids{262, 259, 260, 'l', 'd'});
  CHECK(tokenizer.encode("hell") == Ids{258});
  CHECK(tokenizer.encode("caf\xC3\xA9") == Ids{'c', 'a', 'f', 261});
  CHECK(tokenizer.encode("aaaaaaa") == Ids{264, 263, 'a'});  // from the left
}

TEST_CASE("bytes that are not UTF-8 are U+FFFD", "[text][bpe]") {
  const Tokenizer tokenizer(small_bpe_spec());
  CHECK(tokenizer.encode("\xC3x") == Ids{0xEF, 0xBF, 0xBD, 'x'});
  CHECK(tokenizer.encode("\xF0\x9F") == Ids{0xEF, 0xBF, 0xBD});
  CHECK(tokenizer.encode(std::string_view("\0", 1)) == Ids{0});
}

TEST_CASE("a long piece is merged like a short one", "[text][bpe]") {
  TokenizerSpec spec = small_bpe_spec();
  spec.split = BpeSplit::none;
  const Tokenizer tokenizer(spec);
  const std::string unit = "hello aaaaaaa worhe \xC3\xA9hell";
  std::string text;
  for (int i = 0; i < 50; ++i) text += unit;
  Ids expected;
  const Ids one = tokenizer.encode(unit);  // no merge goes over the ends of the unit
  REQUIRE(unit.size() < 64);
  for (int i = 0; i < 50; ++i) expected.insert(expected.end(), one.begin(), one.end());
  CHECK(tokenizer.encode(text, Tokenizer::kNoLimit) == expected);
}

TEST_CASE("a million letters in one piece take a moment", "[text][bpe]") {
  const Tokenizer tokenizer(small_bpe_spec());
  const auto begin = std::chrono::steady_clock::now();
  CHECK(tokenizer.encode_plain(std::string(1'000'000, 'a')) == Ids(250'000, 264));
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(30));
}

TEST_CASE("bytes without a token are left out, or the unknown token", "[text][bpe]") {
  TokenizerSpec spec = small_bpe_spec();
  spec.vocabulary['z'] = "<z>";
  CHECK(Tokenizer(spec).encode("azb") == Ids{'a', 'b'});
  spec.unknown_id = 'z';
  CHECK(Tokenizer(spec).encode("azb") == Ids{'a', 'z', 'b'});
}

TEST_CASE("a word that is a token is taken as it is where merges are ignored", "[text][bpe]") {
  TokenizerSpec spec = small_bpe_spec();
  spec.vocabulary.push_back("aab");
  CHECK(Tokenizer(spec).encode("aab") == Ids{263, 'b'});
  spec.ignore_merges = true;
  CHECK(Tokenizer(spec).encode("aab") == Ids{268});
  CHECK(Tokenizer(spec).encode("aabb") == Ids{263, 'b', 'b'});
  spec.split = BpeSplit::none;
  CHECK(Tokenizer(spec).encode_plain("<|im_end|>").size() == 10);  // added tokens are no words
}

TEST_CASE("a space goes before text that does not begin with one, where asked", "[text][bpe]") {
  TokenizerSpec spec = small_bpe_spec();
  spec.add_prefix_space = true;
  const Tokenizer tokenizer(spec);
  CHECK(tokenizer.encode("w") == Ids{259});
  CHECK(tokenizer.encode(" w") == Ids{259});
  CHECK(tokenizer.encode("\nw") == Ids{' ', '\n', 'w'});
  CHECK(tokenizer.encode("w<tool>w") == Ids{259, kTool, 259});
}

TEST_CASE("text is composed first where asked", "[text][bpe]") {
  TokenizerSpec spec = small_bpe_spec();
  CHECK(Tokenizer(spec).encode("e\xCC\x81") == Ids{'e', 0xCC, 0x81});
  spec.nfc = true;
  CHECK(Tokenizer(spec).encode("e\xCC\x81") == Ids{261});
}

TEST_CASE("composition follows the standard", "[text][bpe]") {
  const auto nfc = [](std::string_view text) {
    std::string out;
    text::append_nfc(text, out);
    return out;
  };
  CHECK(nfc("plain \xC3\xA9") == "plain \xC3\xA9");
  CHECK(nfc("A\xCC\x8A") == "\xC3\x85");
  CHECK(nfc("\xE2\x84\xAB") == "\xC3\x85");                              // Angstrom sign
  CHECK(nfc("s\xCC\x87\xCC\xA3") == "\xE1\xB9\xA9");                     // marks are sorted
  CHECK(nfc("a\xCC\x81\xCC\x80") == "\xC3\xA1\xCC\x80");                 // the second is blocked
  CHECK(nfc("\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB") == "\xED\x95\x9C");  // Hangul
  CHECK(nfc("\xE0\xA5\x98") == "\xE0\xA4\x95\xE0\xA4\xBC");              // excluded
  CHECK(nfc("\xCC\x81"
            "a") ==
        "\xCC\x81"
        "a");  // nothing before it
}

TEST_CASE("the begin token is counted, the cut is at the end", "[text][bpe]") {
  TokenizerSpec spec = small_bpe_spec();
  spec.begin_id = static_cast<uint32_t>(kStart);
  CHECK(Tokenizer(spec).encode("hello") == Ids{262});
  spec.add_begin = true;
  const Tokenizer tokenizer(spec);
  CHECK(tokenizer.encode("hello x") == Ids{kStart, 262, ' ', 'x'});
  CHECK(tokenizer.encode("hello x", 3) == Ids{kStart, 262, ' '});
  CHECK(tokenizer.encode("hello", 1) == Ids{kStart});
  expect_error(Errc::usage, {"max_length is 0"}, [&] { tokenizer.encode("a", 0); });
  CHECK(tokenizer.encode(std::string(3000, '.')).size() == 1000);
  CHECK(tokenizer.encode(std::string(3000, '.'), Tokenizer::kNoLimit).size() == 3001);
}

TEST_CASE("special tokens are found in a text and are plain in a plain one", "[text][bpe]") {
  const Tokenizer tokenizer(small_bpe_spec());
  CHECK(tokenizer.encode("he<|im_end|>he<tool>") == Ids{256, kEnd, 256, kTool});
  const Ids plain = tokenizer.encode_plain("he<|im_end|>he<tool>");
  CHECK(std::count(plain.begin(), plain.end(), kEnd) == 0);
  CHECK(plain.back() == kTool);  // not special: text that has a token
  CHECK(tokenizer.decode(plain) == "he<|im_end|>he<tool>");
  const Tokenizer wordpiece(test::small_spec());
  CHECK(wordpiece.encode_plain("a [SEP]") == Ids{10, 1, 1, 1});
}

TEST_CASE("ids become the text again", "[text][bpe]") {
  const Tokenizer tokenizer(small_bpe_spec());
  for (const std::string text : {"", "hello world", " \xC3\xA9\xF0\x9F\x98\x80\n", "a<tool>b"}) {
    CHECK(tokenizer.decode(tokenizer.encode(text)) == text);
  }
  CHECK(tokenizer.decode(Ids{256, kEnd, 257}) == "hell");
  CHECK(tokenizer.decode(Ids{256, kEnd, 257}, false) == "he<|im_end|>ll");
  CHECK(tokenizer.decode(Ids{0xC3}) == "\xC3");
  CHECK(tokenizer.decode(Ids{'a', 5000, 'b'}) == "ab");  // a row of the embedding without a token
  expect_error(Errc::usage, {"id -1"}, [&] { tokenizer.decode(Ids{-1}); });
}

TEST_CASE("pieces of words are joined, words stand apart", "[text]") {
  const Tokenizer tokenizer(test::small_spec());
  CHECK(tokenizer.decode(tokenizer.encode("Unaffable able!")) == "unaffable able !");
  CHECK(tokenizer.decode(tokenizer.encode("able"), false) == "[CLS] able [SEP]");
  StreamDecoder stream(tokenizer);
  std::string all;
  for (const int32_t id : tokenizer.encode("Unaffable able!")) all += stream.push(id);
  CHECK(all + stream.flush() == "unaffable able !");
}

TEST_CASE("a stream gives whole characters only", "[text][bpe]") {
  const Tokenizer tokenizer(small_bpe_spec());
  StreamDecoder stream(tokenizer);
  CHECK(stream.push('a') == "a");
  CHECK(stream.push(0xF0) == "");
  CHECK(stream.push(0x9F) == "");
  CHECK(stream.push(kEnd) == "");
  CHECK(stream.push(0x98) == "");
  CHECK(stream.push(0x80) == "\xF0\x9F\x98\x80");
  CHECK(stream.push(261) == "\xC3\xA9");
  CHECK(stream.push(0xE2) == "");
  CHECK(stream.push('x') == "\xEF\xBF\xBDx");  // what was begun is wrong
  CHECK(stream.push(0xFF) == "\xEF\xBF\xBD");  // never a character
  CHECK(stream.push(0xED) == "");
  CHECK(stream.push(0xA0) == "\xEF\xBF\xBD\xEF\xBF\xBD");  // a surrogate
  CHECK(stream.push(0xE4) == "");
  CHECK(stream.flush() == "\xEF\xBF\xBD");
  CHECK(stream.flush() == "");
}

TEST_CASE("a byte-level specification with ids out of range is refused", "[text][bpe]") {
  TokenizerSpec spec = small_bpe_spec();
  spec.merges.push_back({0, 1, 268});
  expect_error(Errc::malformed, {"merged id 268", "268"}, [&] { Tokenizer{spec}; });
  spec = small_bpe_spec();
  spec.add_begin = true;
  expect_error(Errc::malformed, {"begin id 4294967295"}, [&] { Tokenizer{spec}; });
}

}  // namespace
}  // namespace lathe
