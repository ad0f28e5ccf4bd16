#pragma once
// A small hand-made tokenizer, and the recorded references of tests/data/tokenizer (LATHE_TEST_SOURCE is the folder
// tests/).

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "formats/artifact/tokenizer_spec.h"

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

inline std::filesystem::path recorded(std::string_view name) {
  return std::filesystem::path(LATHE_TEST_SOURCE) / "data/tokenizer" / name;
}

/// The folder that experiments/data/fetch.py fills; empty where $LATHE_TEST_DATA does not name one.
inline std::filesystem::path fetched_data() {
  const char* folder = std::getenv("LATHE_TEST_DATA");
  return folder == nullptr ? "" : folder;
}

}  // namespace lathe::test
