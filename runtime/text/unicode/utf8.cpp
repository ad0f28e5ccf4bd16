#include "runtime/text/unicode/utf8.h"

#include <algorithm>
#include <cstdint>

#include "formats/artifact/utf8.h"

namespace lathe::text {
namespace {

constexpr size_t kLongest = 4;

constexpr bool is_continuation(char byte) { return (static_cast<uint8_t>(byte) & 0xC0) == 0x80; }

}  // namespace

Decoded decode_utf8(std::string_view text, size_t at) {
  const auto lead = static_cast<uint8_t>(text[at]);
  if (lead < 0x80) return {lead, 1};
  const Utf8Lead* row = find_utf8_lead(lead);
  if (row == nullptr) return {kReplacement, 1};
  const size_t continuations = row->length - size_t{1};
  char32_t code_point = lead & (0x3FU >> continuations);
  uint8_t least = row->second_least, most = row->second_most;
  for (size_t i = 1; i <= continuations; ++i) {
    const uint8_t byte = at + i < text.size() ? static_cast<uint8_t>(text[at + i]) : uint8_t{0};
    if (byte < least || byte > most) return {kReplacement, i};
    code_point = code_point << 6 | (byte & 0x3FU);
    least = 0x80;
    most = 0xBF;
  }
  return {code_point, row->length};
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
    const Utf8Lead* row = find_utf8_lead(static_cast<uint8_t>(text[at]));
    if (row == nullptr) break;  // no character begins here
    // A character waits for bytes that are missing, unless one of those that are there is wrong already.
    return row->length > size && decode_utf8(text, at).size == size ? at : text.size();
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
