#pragma once
// A small hand-made tokenizer, and the recorded references of tests/data/tokenizer.

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "formats/artifact/tokenizer/tokenizer_spec.h"
#include "runtime/text/unicode/utf8.h"
#include "tests/support/paths.h"

namespace lathe::test {

inline TokenizerSpec small_spec() {
  TokenizerSpec spec;
  spec.kind = TokenizerKind::wordpiece;
  spec.vocabulary = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "un",   "##aff",        "##able",   "aff",
                     "able",  "a",     "##a",   "!",     "##b",    "cafe", "\xE4\xB8\xAD", "\xC3\xA9", "Un"};
  spec.unknown_id = 1;
  spec.begin_id = 2;
  spec.end_id = 3;
  spec.pad_id = 0;
  for (const uint32_t id : {0, 1, 2, 3, 4}) spec.added_tokens.push_back({.id = id, .content = spec.vocabulary[id]});
  return spec;
}

/// Byte-level BPE of all bytes: byte b is token b, written by its stand-in; then a few merges and added tokens.
inline TokenizerSpec small_bpe_spec() {
  TokenizerSpec spec;
  spec.kind = TokenizerKind::byte_bpe;
  char32_t next = 256;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    text::append_utf8(printable ? byte : next++, spec.vocabulary.emplace_back());
  }
  const auto merge = [&](uint32_t left, uint32_t right) {
    spec.merges.push_back({left, right, static_cast<uint32_t>(spec.vocabulary.size())});
    spec.vocabulary.push_back(spec.vocabulary[left] + spec.vocabulary[right]);
  };
  merge('h', 'e');                                                        // 256
  merge('l', 'l');                                                        // 257
  merge(256, 257);                                                        // 258: hell
  merge(' ', 'w');                                                        // 259
  merge('o', 'r');                                                        // 260
  merge(0xC3, 0xA9);                                                      // 261: e with acute
  merge(258, 'o');                                                        // 262: hello
  merge('a', 'a');                                                        // 263
  merge(263, 263);                                                        // 264: aaaa
  for (const char* content : {"<|im_start|>", "<|im_end|>", "<tool>"}) {  // 265, 266, 267
    spec.added_tokens.push_back({.id = static_cast<uint32_t>(spec.vocabulary.size()), .content = content});
    spec.vocabulary.emplace_back(content);
  }
  spec.added_tokens.back().special = false;
  spec.unknown_id = spec.begin_id = kNoToken;
  spec.end_id = spec.pad_id = 266;
  spec.max_length = 1000;
  spec.stop_ids = {266};
  spec.chat = ChatForm::chatml;
  spec.default_system = "Be kind.";
  return spec;
}

/// FNV-1a-64, as experiments/references/record_tokenizer_ids.py computes it.
inline uint64_t fnv1a(std::string_view bytes) {
  uint64_t hash = 0xCBF29CE484222325U;
  for (const char byte : bytes) hash = (hash ^ static_cast<uint8_t>(byte)) * 0x100000001B3U;
  return hash;
}

inline std::vector<std::string> read_lines(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw std::runtime_error("cannot read " + path.string());
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

inline std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> fields;
  std::istringstream stream(text);
  for (std::string field; std::getline(stream, field, separator);) fields.push_back(field);
  return fields;
}

/// \u{HEX} is a code point, \\ a backslash.
inline std::string unescaped(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\') {
      out += text[at];
    } else if (text[++at] == 'u') {
      const size_t end = text.find('}', at);
      const std::string digits(text.substr(at + 2, end - at - 2));
      text::append_utf8(static_cast<char32_t>(std::stoul(digits, nullptr, 16)), out);
      at = end;
    } else {
      out += text[at];
    }
  }
  return out;
}

inline std::string count_and_hash(const std::vector<int32_t>& ids) {
  const std::string_view bytes(reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof ids[0]);
  char text[64];
  std::snprintf(text, sizeof text, "%zu %016" PRIx64, ids.size(), fnv1a(bytes));
  return text;
}

inline std::filesystem::path recorded(std::string_view name) { return test::data_path("tokenizer") / name; }

inline std::string text_of(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// The folder that experiments/data/fetch.py fills; empty where $LATHE_TEST_DATA does not name one.
inline std::filesystem::path fetched_data() {
  const char* folder = std::getenv("LATHE_TEST_DATA");
  return folder == nullptr ? "" : folder;
}

}  // namespace lathe::test
