#include "formats/text.h"

#include <array>
#include <cstdint>

namespace lathe {
namespace {

/// One row of the Unicode table of well-formed sequences: the range of the first byte, the length, and the range of
/// the second byte (the later ones are always 80..BF).
struct Utf8Row {
  uint8_t first_low, first_high;
  uint8_t length;
  uint8_t second_low, second_high;
};
constexpr std::array<Utf8Row, 9> kUtf8Rows = {{{0x00, 0x7f, 1, 0, 0},
                                               {0xc2, 0xdf, 2, 0x80, 0xbf},
                                               {0xe0, 0xe0, 3, 0xa0, 0xbf},
                                               {0xe1, 0xec, 3, 0x80, 0xbf},
                                               {0xed, 0xed, 3, 0x80, 0x9f},
                                               {0xee, 0xef, 3, 0x80, 0xbf},
                                               {0xf0, 0xf0, 4, 0x90, 0xbf},
                                               {0xf1, 0xf3, 4, 0x80, 0xbf},
                                               {0xf4, 0xf4, 4, 0x80, 0x8f}}};

bool between(uint8_t value, uint8_t low, uint8_t high) { return value >= low && value <= high; }

bool matches(const Utf8Row& row, std::string_view text, size_t position) {
  if (row.length > text.size() - position) return false;
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[position + i]); };
  if (row.length > 1 && !between(byte(1), row.second_low, row.second_high)) return false;
  for (size_t i = 2; i < row.length; ++i) {
    if (!between(byte(i), 0x80, 0xbf)) return false;
  }
  return true;
}

}  // namespace

size_t utf8_length_at(std::string_view text, size_t position) noexcept {
  const auto first = static_cast<uint8_t>(text[position]);
  for (const Utf8Row& row : kUtf8Rows) {
    if (between(first, row.first_low, row.first_high)) return matches(row, text, position) ? row.length : 0;
  }
  return 0;
}

bool is_utf8(std::string_view text) noexcept {
  for (size_t at = 0; at < text.size();) {
    const size_t length = utf8_length_at(text, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

std::string_view trimmed(std::string_view text) noexcept {
  constexpr std::string_view kSpaces = " \t\r\f\v";
  const size_t begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1);
}

std::string printable(std::string_view text, size_t max_bytes) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  size_t at = 0;
  while (at < text.size() && at < max_bytes) {
    const size_t length = utf8_length_at(text, at);
    const auto byte = static_cast<uint8_t>(text[at]);
    if (length == 0 || byte < 0x20 || byte == 0x7f) {
      out.append("\\x").append(1, kHex[byte >> 4]).append(1, kHex[byte & 15]);
      ++at;
    } else {
      out.append(text.substr(at, length));
      at += length;
    }
  }
  if (at < text.size()) out += "... (" + std::to_string(text.size()) + " bytes)";
  return out;
}

}  // namespace lathe
