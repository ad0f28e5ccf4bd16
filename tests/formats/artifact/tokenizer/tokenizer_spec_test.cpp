#include "formats/artifact/tokenizer/tokenizer_spec.h"

#include <algorithm>
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
using test::small_bpe_spec;
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
      {"kind is 3", [](auto& spec) { spec.kind = static_cast<TokenizerKind>(3); }},
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
  unknown_flag[1] |= std::byte{32};
  expect_error(Errc::malformed, {"tokenizer.flags"}, [&] { decode_tokenizer(unknown_flag, "x"); });
}

TEST_CASE("a prefix of texts is stored where there is one", "[artifact][tokenizer]") {
  TokenizerSpec spec = small_spec();
  const size_t bytes = encode_tokenizer(spec).size();
  spec.text_prefix = "query: ";
  const std::vector<std::byte> section = encode_tokenizer(spec);
  CHECK(section.size() == bytes + 4 + spec.text_prefix.size());
  CHECK(decode_tokenizer(section, "x") == spec);
  for (size_t size = 0; size < section.size(); ++size) {
    expect_error(Errc::malformed, {"x"}, [&] { decode_tokenizer(Bytes(section).first(size), "x"); });
  }
  spec.text_prefix.assign(4097, 'q');
  expect_error(Errc::malformed, {"tokenizer.text_prefix length is 4097", "4096"}, [&] { encode_tokenizer(spec); });
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

TEST_CASE("byte-level BPE gives back every field", "[artifact][tokenizer]") {
  TokenizerSpec spec = small_bpe_spec();
  CHECK(round_trip(spec) == spec);
  spec.split = BpeSplit::qwen2;
  spec.nfc = spec.add_begin = true;
  spec.begin_id = 1;
  spec.unknown_id = 2;
  spec.chat = ChatForm::llama3;
  spec.stop_ids = {3, 266};
  spec.added_tokens[0].lstrip = spec.added_tokens[1].rstrip = spec.added_tokens[2].normalized = true;
  CHECK(round_trip(spec) == spec);
  spec.nfc = spec.add_begin = false;
  spec.add_prefix_space = spec.ignore_merges = true;
  CHECK(round_trip(spec) == spec);
  spec.merges.clear();
  CHECK(round_trip(spec) == spec);
  const size_t without_template = encode_tokenizer(spec).size();
  spec.chat = ChatForm::jinja;
  spec.chat_template = "{{ bos_token }}";
  CHECK(encode_tokenizer(spec).size() == without_template + 4 + spec.chat_template.size() + 4);
  spec.chat_variables = {{"bos_token", "<s>"}, {"eos_token", ""}};
  CHECK(round_trip(spec) == spec);
}

TEST_CASE("merges of every order are stored", "[artifact][tokenizer]") {
  TokenizerSpec spec;
  spec.kind = TokenizerKind::byte_bpe;
  spec.vocabulary = {"abc", "ab", "a", "b", "c", "bc", "x", "", "abcabc"};
  // A result before its parts, one that two merges give, a part that comes later, and parts that are empty.
  spec.merges = {{0, 0, 8}, {2, 5, 0}, {1, 4, 0}, {2, 3, 1}, {3, 4, 5}, {7, 6, 6}, {6, 7, 6}, {7, 7, 7}};
  CHECK(round_trip(spec) == spec);
  std::reverse(spec.merges.begin(), spec.merges.end());
  CHECK(round_trip(spec) == spec);
}

TEST_CASE("tokens that merges make take few bytes", "[artifact][tokenizer]") {
  TokenizerSpec spec;
  spec.kind = TokenizerKind::byte_bpe;
  spec.vocabulary = {"a"};
  const size_t before = encode_tokenizer(spec).size();
  for (uint32_t id = 0; id < 100; ++id) {
    spec.merges.push_back({id, 0, id + 1});
    spec.vocabulary.push_back(spec.vocabulary.back() + "a");
  }
  CHECK(encode_tokenizer(spec).size() - before == 100 * 4);
}

TEST_CASE("a byte-level tokenizer that breaks a rule is neither written nor read", "[artifact][tokenizer]") {
  struct Row {
    const char* part;
    std::function<void(TokenizerSpec&)> change;
  };
  const std::vector<Row> rows = {
      {"split is 5", [](auto& spec) { spec.split = static_cast<BpeSplit>(5); }},
      {"chat is 4", [](auto& spec) { spec.chat = static_cast<ChatForm>(4); }},
      {"chat is 3, and there is no chat template", [](auto& spec) { spec.chat = ChatForm::jinja; }},
      {"chat is 1, and there is a chat template", [](auto& spec) { spec.chat_template = "x"; }},
      {"chat_template length is 1048577",
       [](auto& spec) {
         spec.chat = ChatForm::jinja;
         spec.chat_template.assign((1 << 20) + 1, 'x');
       }},
      {"chat_variables count is 65",
       [](auto& spec) {
         spec.chat = ChatForm::jinja;
         spec.chat_template = "x";
         spec.chat_variables.resize(65);
       }},
      {"max_length is 0", [](auto& spec) { spec.max_length = 0; }},
      {"unknown_id is 268", [](auto& spec) { spec.unknown_id = 268; }},
      {"pad_id is 4294967295", [](auto& spec) { spec.pad_id = kNoToken; }},
      {"stop_ids is 268", [](auto& spec) { spec.stop_ids.push_back(268); }},
      {"stop_ids count is 1025", [](auto& spec) { spec.stop_ids.resize(1025); }},
      {"add_begin without", [](auto& spec) { spec.add_begin = true; }},
      {"default_system length is 65536", [](auto& spec) { spec.default_system.resize(65536); }},
      {"added_tokens id is 268", [](auto& spec) { spec.added_tokens[0].id = 268; }},
      {"merges left is 268", [](auto& spec) { spec.merges[0].left = 268; }},
      {"merges right is 268", [](auto& spec) { spec.merges[0].right = 268; }},
      {"merges result is 268", [](auto& spec) { spec.merges[0].result = 268; }},
      {"merge 0 of \"h\" and \"e\" results in \"ll\"", [](auto& spec) { spec.merges[0].result = 257; }},
      {"merge 1 of \"l\" and \"l\" is there twice", [](auto& spec) { spec.merges[0] = spec.merges[1]; }},
  };
  for (const Row& row : rows) {
    TokenizerSpec spec = small_bpe_spec();
    row.change(spec);
    expect_error(Errc::malformed, {row.part}, [&] { encode_tokenizer(spec); });
  }
}

TEST_CASE("a byte-level section cut anywhere, or with bytes left over, is refused", "[artifact][tokenizer]") {
  std::vector<std::byte> whole = encode_tokenizer(small_bpe_spec());
  for (size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    expect_error(Errc::malformed, {"x.lathe"}, [&] { decode_tokenizer(Bytes(whole).first(size), "x.lathe"); });
  }
  whole.push_back({});
  expect_error(Errc::malformed, {"x.lathe", "1 bytes are left over"}, [&] { decode_tokenizer(whole, "x.lathe"); });
}

/// A section of "a" and `tokens` further tokens that merges make, then these merges.
std::string merged_section(uint32_t tokens, uint32_t merges, std::string_view bytes) {
  TokenizerSpec spec;
  spec.kind = TokenizerKind::byte_bpe;
  spec.vocabulary = {"a"};
  const std::vector<std::byte> section = encode_tokenizer(spec);
  std::string out(reinterpret_cast<const char*>(section.data()), section.size());
  const auto append_count = [&](uint32_t count) { out.append(reinterpret_cast<const char*>(&count), sizeof count); };
  out.resize(out.size() - 4 - 2 - 4);  // counts of tokens and merges, "a"
  append_count(tokens + 1);
  out += "\1a";
  out.append(tokens, '\x80');
  append_count(merges);
  return out.append(bytes);
}

TokenizerSpec decode_text(std::string_view section) {
  return decode_tokenizer(std::as_bytes(std::span(section)), "x.lathe");
}

TEST_CASE("merges that lie are refused", "[artifact][tokenizer]") {
  using namespace std::string_view_literals;
  // left, right, twice the distance of the result from the one expected (minus 1 where it is below)
  CHECK(decode_text(merged_section(1, 1, "\0\0\2"sv)).vocabulary == std::vector<std::string>{"a", "aa"});
  const auto refused = [](uint32_t tokens, uint32_t merges, std::string_view bytes, const char* part) {
    expect_error(Errc::malformed, {"x.lathe", part}, [&] { decode_text(merged_section(tokens, merges, bytes)); });
  };
  refused(1, 1, "\2\0\2"sv, "left of merge 0 is 2");
  refused(1, 1, "\0\x82\0\2"sv, "right of merge 0 is 2");
  refused(1, 1, "\0\0\4"sv, "result of merge 0 is 2");
  refused(1, 1, "\0\0\1"sv, "result of merge 0 is 18446744073709551615");
  refused(1, 1, "\0\0\x80\x80\x80\x80\x80"sv, "longer than 5 bytes");
  refused(1, 1, "\1\0\2"sv, "token 1 has none yet");
  refused(2, 1, "\0\0\2"sv, "token 2 is the result of no merge");
  refused(1, 0xFFFFFFFF, "\0\0\2"sv, "counts 4294967295 records");
  // Doubled 16 times, "a" is longer than a token may be.
  std::string doubled("\0\0\2", 3);
  for (char i = 1; i < 17; ++i) doubled += {i, i, 0};
  refused(17, 17, doubled, "length is 65536");
}

}  // namespace
}  // namespace lathe
