// Which bytes may begin a character of UTF-8.

#include "formats/artifact/utf8.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

namespace lathe {
namespace {

// The first byte, the second byte (0: none) and the length of the encoding of a code point.
struct Encoded {
  uint8_t first, second, length;
};
Encoded encoded(uint32_t code_point) {
  const auto top = [&](unsigned mark, unsigned shift) { return static_cast<uint8_t>(mark | code_point >> shift); };
  const auto next = [&](unsigned shift) { return static_cast<uint8_t>(0x80 | (code_point >> shift & 0x3F)); };
  if (code_point < 0x80) return {static_cast<uint8_t>(code_point), 0, 1};
  if (code_point < 0x800) return {top(0xC0, 6), next(0), 2};
  if (code_point < 0x10000) return {top(0xE0, 12), next(6), 3};
  return {top(0xF0, 18), next(12), 4};
}

TEST_CASE("the table of first bytes holds exactly what encodings of code points begin with", "[formats][utf8]") {
  struct Seen {
    uint8_t length = 0, least = 255, most = 0;
  };
  std::map<uint8_t, Seen> seen;
  for (uint32_t code_point = 0; code_point <= 0x10FFFF; ++code_point) {
    if (code_point >= 0xD800 && code_point <= 0xDFFF) continue;  // surrogates are no characters
    const Encoded bytes = encoded(code_point);
    Seen& row = seen[bytes.first];
    row.length = bytes.length;
    row.least = std::min(row.least, bytes.second);
    row.most = std::max(row.most, bytes.second);
  }
  for (unsigned byte = 0; byte < 256; ++byte) {
    CAPTURE(byte);
    const Utf8Lead* row = find_utf8_lead(static_cast<uint8_t>(byte));
    const auto wanted = seen.find(static_cast<uint8_t>(byte));
    REQUIRE((row != nullptr) == (wanted != seen.end()));
    if (row == nullptr) continue;
    CHECK(row->length == wanted->second.length);
    CHECK(row->second_least == wanted->second.least);
    CHECK(row->second_most == wanted->second.most);
  }
}

}  // namespace
}  // namespace lathe
