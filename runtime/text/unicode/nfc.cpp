#include "runtime/text/unicode/nfc.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "runtime/text/unicode/char_class.h"
#include "runtime/text/unicode/utf8.h"

namespace lathe::text {
namespace {

constexpr char32_t kFirstChanged = 0x300;  // text of code points below is in NFC already

struct Part {
  char32_t code_point;
  int order;  // combining class
};

bool needs_work(std::string_view text) {
  // Bytes that start a code point of kFirstChanged or more.
  return std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0xCC; });
}

std::vector<Part> decomposed(std::string_view text) {
  std::vector<Part> parts;
  parts.reserve(text.size());
  std::vector<char32_t> pieces;
  size_t sorted = 0;  // parts before this one have their final place
  const auto sort_marks = [&] {
    std::stable_sort(parts.begin() + static_cast<std::ptrdiff_t>(sorted), parts.end(),
                     [](const Part& a, const Part& b) { return a.order < b.order; });
    sorted = parts.size();
  };
  for (size_t at = 0; at < text.size();) {
    const Decoded decoded = decode_utf8(text, at);
    at += decoded.size;
    pieces.clear();
    append_decomposition(decoded.code_point, pieces);
    for (const char32_t piece : pieces) {
      const int order = combining_class(piece, char_class(piece));
      if (order == 0) sort_marks();
      parts.push_back({piece, order});
      if (order == 0) sorted = parts.size();
    }
  }
  sort_marks();
  return parts;
}

/// Puts each mark into the last character of class 0 before it, unless a mark of the same or a higher class is between.
void compose(std::vector<Part>& parts) {
  constexpr size_t kNone = static_cast<size_t>(-1);
  size_t starter = kNone, kept = 0;
  for (const Part& part : parts) {
    if (starter != kNone && part.code_point >= kFirstChanged) {
      const int last = starter + 1 == kept ? -1 : parts[kept - 1].order;
      const char32_t both = last < part.order ? composition(parts[starter].code_point, part.code_point) : 0;
      if (both != 0) {
        parts[starter].code_point = both;
        continue;
      }
    }
    if (part.order == 0) starter = kept;
    parts[kept++] = part;
  }
  parts.resize(kept);
}

}  // namespace

void append_nfc(std::string_view text, std::string& out) {
  if (!needs_work(text)) {
    out += text;
    return;
  }
  std::vector<Part> parts = decomposed(text);
  compose(parts);
  for (const Part& part : parts) append_utf8(part.code_point, out);
}

}  // namespace lathe::text
