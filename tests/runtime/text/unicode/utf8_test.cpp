#include "runtime/text/unicode/utf8.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace lathe::text {
namespace {

std::u32string decode_all(std::string_view text) {
  std::u32string out;
  for (size_t at = 0; at < text.size();) {
    const Decoded decoded = decode_utf8(text, at);
    out += decoded.code_point;
    at += decoded.size;
  }
  return out;
}

TEST_CASE("every scalar value survives UTF-8 in both directions", "[text]") {
  size_t wrong = 0;
  for (char32_t code_point = 0; code_point <= 0x10FFFF; ++code_point) {
    if (code_point >= 0xD800 && code_point < 0xE000) continue;
    std::string text = "\xC3\xA9";
    append_utf8(code_point, text);
    const Decoded forward = decode_utf8(text, 2), backward = decode_utf8_before(text, text.size());
    const bool right = forward.code_point == code_point && forward.size == text.size() - 2 &&
                       backward.code_point == code_point && backward.size == forward.size;
    wrong += right ? 0U : 1U;
  }
  CHECK(wrong == 0);
}

TEST_CASE("bytes that are not UTF-8 are read as one U+FFFD for each broken character", "[text]") {
  struct Row {
    std::string text;
    std::u32string expected;
  };
  const std::vector<Row> rows = {
      {"a\x80z", U"a\uFFFDz"},                            // a continuation alone
      {"\xC3", U"\uFFFD"},                                // ends early
      {"\xE2\x82", U"\uFFFD"},                            // ends early
      {"\xE2\x82z", U"\uFFFDz"},                          // broken off
      {"\xF0\x9F\x98\xC3\xA9", U"\uFFFD\u00E9"},          // broken off by another character
      {"\xC0\xAF", U"\uFFFD\uFFFD"},                      // overlong
      {"\xE0\x80\xAF", U"\uFFFD\uFFFD\uFFFD"},            // overlong
      {"\xED\xA0\x80", U"\uFFFD\uFFFD\uFFFD"},            // a surrogate
      {"\xF4\x90\x80\x80", U"\uFFFD\uFFFD\uFFFD\uFFFD"},  // beyond U+10FFFF
      {"\xF5\xFF", U"\uFFFD\uFFFD"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK((decode_all(row.text) == row.expected));
  }
}

TEST_CASE("reading backwards takes a broken character as one byte", "[text]") {
  const std::string text = "a\x80";
  CHECK(decode_utf8_before(text, 2).code_point == kReplacement);
  CHECK(decode_utf8_before(text, 2).size == 1);
  CHECK(decode_utf8_before(text, 1).code_point == U'a');
}

}  // namespace
}  // namespace lathe::text
