#include "runtime/text/unicode/utf8.h"

#include <algorithm>
#include <cstdint>

namespace lathe::text {
namespace {

// The well-formed sequences of the Unicode standard (table 3-7). Only the second byte depends on the first; all later
// ones are 80..BF. Sorted by `last`; leads that no row holds are malformed.
struct LeadRow {
  uint8_t first, last;
  uint8_t continuations;
  uint8_t second_least, second_most;
};
constexpr LeadRow kLeads[] = {{0xC2, 0xDF, 1, 0x80, 0xBF}, {0xE0, 0xE0, 2, 0xA0, 0xBF}, {0xE1, 0xEC, 2, 0x80, 0xBF},
                              {0xED, 0xED, 2, 0x80, 0x9F}, {0xEE, 0xEF, 2, 0x80, 0xBF}, {0xF0, 0xF0, 3, 0x90, 0xBF},
                              {0xF1, 0xF3, 3, 0x80, 0xBF}, {0xF4, 0xF4, 3, 0x80, 0x8F}};

constexpr size_t kLongest = 4;

constexpr bool is_continuation(char byte) { return (static_cast<uint8_t>(byte) & 0xC0) == 0x80; }

}  // namespace

Decoded decode_utf8(std::string_view text, size_t at) {
  const auto lead = static_cast<uint8_t>(text[at]);
  if (lead < 0x80) return {lead, 1};
  const auto* row = std::find_if(std::begin(kLeads), std::end(kLeads), [&](const auto& r) { return lead <= r.last; });
  if (row == std::end(kLeads) || lead < row->first) return {kReplacement, 1};
  char32_t code_point = lead & (0x3FU >> row->continuations);
  uint8_t least = row->second_least, most = row->second_most;
  for (size_t i = 1; i <= row->continuations; ++i) {
    const uint8_t byte = at + i < text.size() ? static_cast<uint8_t>(text[at + i]) : uint8_t{0};
    if (byte < least || byte > most) return {kReplacement, i};
    code_point = code_point << 6 | (byte & 0x3FU);
    least = 0x80;
    most = 0xBF;
  }
  return {code_point, row->continuations + size_t{1}};
}

Decoded decode_utf8_before(std::string_view text, size_t end) {
  size_t size = 1;
  while (size < std::min(kLongest, end) && is_continuation(text[end - size])) ++size;
  const Decoded decoded = decode_utf8(text, end - size);
  return decoded.size == size ? decoded : Decoded{};
}

size_t complete_utf8(std::string_view text) {
  for (size_t size = 1; size < kLongest && size <= text.size(); ++size) {
    const size_t at = text.size() - size;
    if (is_continuation(text[at])) continue;
    const auto lead = static_cast<uint8_t>(text[at]);
    const auto* row = std::find_if(std::begin(kLeads), std::end(kLeads), [&](const auto& r) { return lead <= r.last; });
    if (row == std::end(kLeads) || lead < row->first) break;  // ASCII, or a byte that starts nothing
    // Only the bytes that are there can be wrong; what is wrong does not wait.
    return row->continuations >= size && decode_utf8(text, at).size == size ? at : text.size();
  }
  return text.size();
}

std::string valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const Decoded decoded = decode_utf8(text, at);
    append_utf8(decoded.code_point, out);
    at += decoded.size;
  }
  return out;
}

void append_utf8(char32_t code_point, std::string& out) {
  const auto tail = [&](unsigned shift) { return static_cast<char>(0x80 | (code_point >> shift & 0x3F)); };
  if (code_point < 0x80) {
    out += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    out += static_cast<char>(0xC0 | code_point >> 6);
    out += tail(0);
  } else if (code_point < 0x10000) {
    out += static_cast<char>(0xE0 | code_point >> 12);
    out += tail(6);
    out += tail(0);
  } else {
    out += static_cast<char>(0xF0 | code_point >> 18);
    out += tail(12);
    out += tail(6);
    out += tail(0);
  }
}

}  // namespace lathe::text
