#include "runtime/text/bert_words.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "tests/runtime/text/tokenizer_data.h"

namespace lathe::text {
namespace {

constexpr NormalizerOptions kNothing = {false, false, false, false};

std::string normalized(std::string_view text, const NormalizerOptions& options = {}) {
  std::string out;
  normalize(text, options, out);
  return out;
}

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  for (size_t at = 0;;) {
    const Word word = next_word(text, at);
    if (word.text.empty()) return out;
    out.emplace_back(word.text);
  }
}

TEST_CASE("each step of the normalizer does its part alone", "[text]") {
  const std::string text = "A\t\xC3\x89\xC2\xAD\xE4\xB8\xAD";  // A, tab, É, soft hyphen, an ideograph
  CHECK(normalized(text, kNothing) == text);
  CHECK(normalized(text, {true, false, false, false}) == "A \xC3\x89\xE4\xB8\xAD");
  CHECK(normalized(text, {false, true, false, false}) == "A\t\xC3\x89\xC2\xAD \xE4\xB8\xAD ");
  CHECK(normalized(text, {false, false, true, false}) == "A\tE\xC2\xAD\xE4\xB8\xAD");
  CHECK(normalized(text, {false, false, false, true}) == "a\t\xC3\xA9\xC2\xAD\xE4\xB8\xAD");
  CHECK(normalized(text) == "a e \xE4\xB8\xAD ");
}

TEST_CASE("a capital dotted I becomes an i, with its dot where accents stay", "[text]") {
  CHECK(normalized("\xC4\xB0", {false, false, false, true}) == "i\xCC\x87");
  CHECK(normalized("\xC4\xB0") == "i");
}

TEST_CASE("marks that stay are brought into canonical order", "[text]") {
  // U+1D16D is of class 226 and U+1D165 of 216; a letter between them keeps them apart.
  const std::string high = "\xF0\x9D\x85\xAD", low = "\xF0\x9D\x85\xA5";
  CHECK(normalized("a" + high + low + "b") == "a" + low + high + "b");
  CHECK(normalized(high + "\xC3\xA9" + low) == high + "e" + low);
  CHECK(normalized(high + "\xCC\x81" + low) == low + high);  // the accent between them is stripped
  CHECK(normalized(high + low, kNothing) == high + low);
}

TEST_CASE("text that is not UTF-8 normalizes to text that is", "[text]") {
  CHECK(normalized("a\xFF\xC3") == "a");
  CHECK(normalized("a\xFF\xC3", kNothing) == "a\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST_CASE("words are cut at white space, and punctuation stands alone", "[text]") {
  CHECK(words("").empty());
  CHECK(words("  \n").empty());
  CHECK(words(" ab  c!?d ") == std::vector<std::string>{"ab", "c", "!", "?", "d"});
  CHECK(words("a\xE3\x80\x82\xE2\x80\x83"
              "b") == std::vector<std::string>{"a", "\xE3\x80\x82", "b"});
  size_t at = 0;
  CHECK(next_word("\xC3\xA9\xC3\xA9", at).code_points == 2);
}

TEST_CASE("normalizer and words give what Hugging Face tokenizers gives for every code point", "[text]") {
  const std::vector<std::string> blocks = test::read_lines(test::recorded("words.tsv"));
  CHECK(blocks.size() == 272);
  for (const std::string& line : blocks) {
    const std::vector<std::string> fields = test::split(line, '\t');
    REQUIRE(fields.size() == 2);
    const auto start = static_cast<char32_t>(std::stoul(fields[0], nullptr, 16));
    std::string all;
    for (char32_t code_point = start; code_point < start + 4096; ++code_point) {
      if (code_point >= 0xD800 && code_point < 0xE000) continue;
      std::string text = "a";
      append_utf8(code_point, text);
      for (const std::string& word : words(normalized(text + "b"))) all.append(word).append("\n");
      all += "\n";
    }
    INFO("block U+" << fields[0]);
    CHECK(test::fnv1a(all) == std::stoull(fields[1], nullptr, 16));
  }
}

}  // namespace
}  // namespace lathe::text
