#include "runtime/text/bpe_split.h"

#include <catch2/catch.hpp>
#include <cinttypes>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "runtime/text/unicode/nfc.h"
#include "tests/formats/expect_error.h"
#include "tests/runtime/text/tokenizer_data.h"

namespace lathe {
namespace {

using Pieces = std::vector<std::string>;

Pieces pieces(BpeSplit split, std::string_view text) {
  std::vector<std::string_view> found;
  text::split_for_bpe(split, text, found);
  return {found.begin(), found.end()};
}

TEST_CASE("words take the space before them, as in GPT-2", "[text][bpe]") {
  CHECK(pieces(BpeSplit::gpt2, "") == Pieces{});
  CHECK(pieces(BpeSplit::gpt2, "I'm here, it's 2026!") == Pieces{"I", "'m", " here", ",", " it", "'s", " 2026", "!"});
  CHECK(pieces(BpeSplit::gpt2, "I'M 'll'x") == Pieces{"I", "'", "M", " '", "ll", "'", "x"});
  CHECK(pieces(BpeSplit::gpt2, "a  b\n\nc \n") == Pieces{"a", " ", " b", "\n", "\n", "c", " \n"});
  CHECK(pieces(BpeSplit::gpt2, "12345") == Pieces{"12345"});
}

TEST_CASE("Llama 3 takes lines as a whole and numbers by three", "[text][bpe]") {
  CHECK(pieces(BpeSplit::llama3, "I'M 12345 x") == Pieces{"I", "'M", " ", "123", "45", " x"});
  CHECK(pieces(BpeSplit::llama3, "x'\xC5\xBFy") == Pieces{"x", "'\xC5\xBF", "y"});  // the long s, without case
  CHECK(pieces(BpeSplit::llama3, "a \n\n  b") == Pieces{"a", " \n\n", " ", " b"});
  CHECK(pieces(BpeSplit::llama3, "(x) ...\n\ny\t z") == Pieces{"(x", ")", " ...\n\n", "y", "\t", " z"});
  CHECK(pieces(BpeSplit::llama3, "\r\nx\n") == Pieces{"\r\n", "x", "\n"});
}

TEST_CASE("Qwen2 takes numbers one by one, SmolLM digits before anything else", "[text][bpe]") {
  CHECK(pieces(BpeSplit::qwen2, "a 12\xC2\xBD") == Pieces{"a", " ", "1", "2", "\xC2\xBD"});
  CHECK(pieces(BpeSplit::smollm, "a 12b  3") == Pieces{"a", " ", "1", "2", "b", "  ", "3"});
  CHECK(pieces(BpeSplit::smollm, "7") == Pieces{"7"});
  CHECK(pieces(BpeSplit::none, "a b\n1") == Pieces{"a b\n1"});
  test::expect_error(Errc::malformed, {"split 9"}, [] { pieces(static_cast<BpeSplit>(9), "a"); });
}

TEST_CASE("the pieces are the text", "[text][bpe]") {
  const std::string text = "It's\t \xE4\xB8\xAD\xE6\x96\x87 123\r\n\r\n  \xF0\x9F\x98\x80!? ''ll\xC2\xA0\xE2\x80\xA8x ";
  for (const BpeSplit split : {BpeSplit::gpt2, BpeSplit::llama3, BpeSplit::qwen2, BpeSplit::smollm, BpeSplit::none}) {
    std::string joined;
    for (const std::string& piece : pieces(split, text)) {
      CHECK_FALSE(piece.empty());
      joined += piece;
    }
    CHECK(joined == text);
  }
}

/// Appends the pieces of a text with `c` in many places.
void append_pieces_with(BpeSplit split, bool nfc, const std::string& c, std::string& out) {
  std::string text = "a" + c + "b " + c + " " + c + c + "1" + c + "2'" + c + "." + c + "\n" + c + "\xCC\x81";
  if (nfc) {
    std::string normalized;
    text::append_nfc(text, normalized);
    text = std::move(normalized);
  }
  std::vector<std::string_view> found;
  text::split_for_bpe(split, text, found);
  for (const std::string_view piece : found) out.append(piece).append("\n");
  out += "\n";
}

TEST_CASE("every code point is cut as by Hugging Face tokenizers", "[text][bpe]") {
  struct Row {
    const char* title;
    BpeSplit split;
    bool nfc;
  };
  const std::map<std::string, Row> rows = {{"gpt2", {"gpt2", BpeSplit::gpt2, false}},
                                           {"llama3", {"llama3", BpeSplit::llama3, false}},
                                           {"qwen2", {"qwen2", BpeSplit::qwen2, true}},
                                           {"smollm", {"smollm", BpeSplit::smollm, false}}};
  const std::vector<std::string> lines = test::read_lines(test::recorded("bpe/pieces.tsv"));
  const std::vector<std::string> titles = test::split(lines.at(0), '\t');
  REQUIRE(titles.size() == 5);
  REQUIRE(lines.size() == 1 + 0x110000 / 4096);
  for (size_t line = 1; line < lines.size(); ++line) {
    const std::vector<std::string> fields = test::split(lines[line], '\t');
    const auto first = static_cast<char32_t>(std::stoul(fields.at(0), nullptr, 16));
    for (size_t column = 1; column < titles.size(); ++column) {
      const Row& row = rows.at(titles[column]);
      std::string all;
      for (char32_t point = first; point < first + 4096; ++point) {
        if (point >= 0xD800 && point < 0xE000) continue;
        std::string c;
        text::append_utf8(point, c);
        append_pieces_with(row.split, row.nfc, c, all);
      }
      char hash[32];
      std::snprintf(hash, sizeof hash, "%016" PRIx64, test::fnv1a(all));
      INFO(titles[column] << ", block " << fields[0]);
      CHECK(std::string(hash) == fields.at(column));
    }
  }
}

}  // namespace
}  // namespace lathe
