#include "formats/text.h"

#include <cstdint>

#include "formats/artifact/utf8.h"

namespace lathe {
namespace {

bool between(uint8_t value, uint8_t low, uint8_t high) { return value >= low && value <= high; }

bool matches(const Utf8Lead& row, std::string_view text, size_t position) {
  if (row.length > text.size() - position) return false;
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[position + i]); };
  if (row.length > 1 && !between(byte(1), row.second_least, row.second_most)) return false;
  for (size_t i = 2; i < row.length; ++i) {
    if (!between(byte(i), 0x80, 0xbf)) return false;
  }
  return true;
}

}  // namespace

size_t utf8_length_at(std::string_view text, size_t position) noexcept {
  const Utf8Lead* row = find_utf8_lead(static_cast<uint8_t>(text[position]));
  return row != nullptr && matches(*row, text, position) ? row->length : 0;
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
