#include "compress/report/visible_text.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "formats/text.h"

namespace lathe::reporting {

size_t text_width(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xc0) != 0x80; }));
}

std::string shortened(std::string_view text, size_t width, std::string_view ellipsis) {
  const size_t total = text_width(text);
  if (total <= width) return std::string(text);
  const size_t kept = width - std::min(width, text_width(ellipsis));
  const size_t head = kept / 2;
  const size_t tail_start = total - (kept - head);
  std::string start;
  std::string end;
  size_t character = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    if (at > 0 && (static_cast<uint8_t>(text[at]) & 0xc0) != 0x80) ++character;
    if (character < head) start += text[at];
    if (character >= tail_start) end += text[at];
  }
  return start + std::string(ellipsis) + end;
}

std::string html_text(std::string_view text) {
  constexpr std::string_view kMarkup = "&<>\"'";
  constexpr std::array<std::string_view, 5> kEscapes = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
  constexpr std::string_view kReplacement = "\xef\xbf\xbd";
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const auto byte = static_cast<uint8_t>(text[at]);
    const size_t length = utf8_length_at(text, at);
    if (const size_t markup = kMarkup.find(text[at]); markup != kMarkup.npos) {
      out += kEscapes[markup];
    } else if (length == 0 || (byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f) {
      out += kReplacement;
    } else {
      out += text.substr(at, length);
    }
    at += std::max<size_t>(length, 1);
  }
  return out;
}

}  // namespace lathe::reporting
