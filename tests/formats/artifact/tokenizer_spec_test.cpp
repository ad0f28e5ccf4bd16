#include "formats/artifact/tokenizer_spec.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "tests/formats/expect_error.h"
#include "tests/runtime/text/tokenizer_data.h"

namespace lathe {
namespace {

using test::expect_error;
using test::small_spec;

TokenizerSpec round_trip(const TokenizerSpec& spec) { return decode_tokenizer(encode_tokenizer(spec), "x.lathe"); }

/// The section of a vocabulary of one-byte heads and suffixes written by hand: "a", then whatever `tokens` says.
std::vector<std::byte> section_with(uint32_t count, std::string_view tokens) {
  TokenizerSpec spec;
  spec.kind = TokenizerKind::wordpiece;
  spec.vocabulary = {"a"};
  std::vector<std::byte> bytes = encode_tokenizer(spec);
  bytes.erase(bytes.end() - 2, bytes.end());  // head and "a"
  std::memcpy(bytes.data() + bytes.size() - sizeof count, &count, sizeof count);
  const Bytes extra = std::as_bytes(std::span(tokens));
  bytes.insert(bytes.end(), extra.begin(), extra.end());
  return bytes;
}

TEST_CASE("a tokenizer section gives back every field", "[artifact][tokenizer]") {
  TokenizerSpec spec = small_spec();
  CHECK(round_trip(spec) == spec);
  spec.continuing_prefix = "@@";
  spec.max_chars_per_word = 7;
  spec.clean_text = spec.strip_accents = false;
  spec.unknown_id = 4;
  spec.begin_id = 5;
  spec.end_id = 6;
  spec.pad_id = 7;
  spec.max_length = 128;
  spec.added_tokens.push_back({.id = 9, .content = "left", .single_word = true, .lstrip = true});
  spec.added_tokens.push_back({.id = 10, .content = "right", .rstrip = true, .normalized = true});
  CHECK(round_trip(spec) == spec);
  spec.clean_text = spec.strip_accents = true;
  spec.split_chinese = spec.lowercase = false;
  CHECK(round_trip(spec) == spec);
  CHECK(round_trip(TokenizerSpec{}) == TokenizerSpec{});
}

TEST_CASE("tokens of every shape are stored", "[artifact][tokenizer]") {
  TokenizerSpec spec = small_spec();
  spec.added_tokens.clear();
  spec.vocabulary = {"", "##", "a", "##a", "ab", "##abcdefgh", "##abcdefghijklmnopqrstuvwxyz", "abcdefghijkl", "##ab"};
  spec.vocabulary.push_back(std::string("\0\xFF", 2));
  for (const size_t size : {14, 15, 16, 22, 23, 255, 256, 65535}) spec.vocabulary.push_back(std::string(size, 'x'));
  CHECK(round_trip(spec) == spec);
  spec.continuing_prefix = "";
  CHECK(round_trip(spec) == spec);
}

TEST_CASE("a tokenizer that breaks a rule is neither written nor read", "[artifact][tokenizer]") {
  struct Row {
    const char* part;
    std::function<void(TokenizerSpec&)> change;
  };
  const std::vector<Row> rows = {
      {"repeats \"un\"", [](auto& spec) { spec.vocabulary.push_back("un"); }},
      {"vocabulary is empty", [](auto& spec) { spec.vocabulary.clear(); }},
      {"length is 65536", [](auto& spec) { spec.vocabulary.push_back(std::string(65536, 'x')); }},
      {"unknown_id is 18", [](auto& spec) { spec.unknown_id = 18; }},
      {"begin_id is 18", [](auto& spec) { spec.begin_id = 18; }},
      {"end_id is 18", [](auto& spec) { spec.end_id = 18; }},
      {"pad_id is 4294967295", [](auto& spec) { spec.pad_id = 0xFFFFFFFF; }},
      {"added_tokens id is 18", [](auto& spec) { spec.added_tokens[0].id = 18; }},
      {"added token 0 is empty", [](auto& spec) { spec.added_tokens[0].content.clear(); }},
      {"added token 1 repeats", [](auto& spec) { spec.added_tokens[1].content = "[PAD]"; }},
      {"max_length is 1", [](auto& spec) { spec.max_length = 1; }},
      {"max_chars_per_word is 10001", [](auto& spec) { spec.max_chars_per_word = 10001; }},
      {"continuing_prefix length is 17", [](auto& spec) { spec.continuing_prefix = std::string(17, '#'); }},
      {"kind is 2", [](auto& spec) { spec.kind = static_cast<TokenizerKind>(2); }},
  };
  for (const Row& row : rows) {
    TokenizerSpec spec = small_spec();
    row.change(spec);
    expect_error(Errc::malformed, {row.part}, [&] { encode_tokenizer(spec); });
  }
  expect_error(Errc::malformed, {"x.lathe", "token 1 repeats \"a\""}, [] {
    decode_tokenizer(section_with(2,
                                  "\x01"
                                  "a\x01"
                                  "a"),
                     "x.lathe");
  });
}

TEST_CASE("a section cut anywhere, or with bytes left over, is refused", "[artifact][tokenizer]") {
  const std::vector<std::byte> whole = encode_tokenizer(small_spec());
  for (size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    expect_error(Errc::malformed, {"x.lathe"}, [&] { decode_tokenizer(Bytes(whole).first(size), "x.lathe"); });
  }
  std::vector<std::byte> longer = whole;
  longer.push_back({});
  expect_error(Errc::malformed, {"x.lathe", "1 bytes are left over"}, [&] { decode_tokenizer(longer, "x.lathe"); });
}

TEST_CASE("a vocabulary that lies about its bytes is refused", "[artifact][tokenizer]") {
  CHECK(decode_tokenizer(section_with(2,
                                      "\x01"
                                      "a\x11"
                                      "b"),
                         "x")
            .vocabulary == std::vector<std::string>{"a", "ab"});
  CHECK(decode_tokenizer(section_with(2,
                                      "\x01"
                                      "a\x90"),
                         "x")
            .vocabulary == std::vector<std::string>{"a", "##a"});
  expect_error(Errc::malformed, {"token 1 shares 2 bytes with one of 1"}, [] {
    decode_tokenizer(section_with(2,
                                  "\x01"
                                  "a\x20"),
                     "x");
  });
  expect_error(Errc::malformed, {"needs 14 bytes"}, [] {
    decode_tokenizer(section_with(2,
                                  "\x01"
                                  "a\x0E"
                                  "b"),
                     "x");
  });
  expect_error(Errc::malformed, {"counts 4294967295 records"}, [] {
    decode_tokenizer(section_with(0xFFFFFFFF,
                                  "\x01"
                                  "a"),
                     "x");
  });
  std::vector<std::byte> unknown_flag = encode_tokenizer(small_spec());
  unknown_flag[1] |= std::byte{16};
  expect_error(Errc::malformed, {"tokenizer.flags"}, [&] { decode_tokenizer(unknown_flag, "x"); });
}

TEST_CASE("numbered tokens and words of one script take few bytes", "[artifact][tokenizer]") {
  TokenizerSpec spec;
  spec.kind = TokenizerKind::wordpiece;
  const size_t before = [&] {
    spec.vocabulary = {"x"};
    return encode_tokenizer(spec).size();
  }();
  for (int i = 100; i < 200; ++i) spec.vocabulary.push_back("##unused" + std::to_string(i));
  CHECK(encode_tokenizer(spec).size() - before < 100 * 4 + 8);  // a head, three digits; 11 characters as text
}

}  // namespace
}  // namespace lathe
