#pragma once
// tokenizer.json made by a test, and the versions of it that must be refused.

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "formats/huggingface/hf_tokenizer.h"
#include "formats/json.h"
#include "tests/formats/expect_error.h"

namespace lathe::test {

inline constexpr const char* kTokenizerPath = "m/tokenizer.json";

inline TokenizerSpec parse_tokenizer(const Json& json) { return parse_tokenizer_json(to_text(json), kTokenizerPath); }

struct BadTokenizer {
  const char* name;
  Json json;
  Errc code;
  std::vector<std::string> parts;  // of the message, beside the path
};

/// Each in a section of its own.
inline void expect_all_refused(const std::vector<BadTokenizer>& cases) {
  expect_all_refused(cases, kTokenizerPath, [](const BadTokenizer& bad) { parse_tokenizer(bad.json); });
}

}  // namespace lathe::test
