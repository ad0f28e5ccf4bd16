#include "runtime/text/unicode/char_class.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "formats/artifact/error.h"

namespace lathe::text {
namespace {

struct Range {
  uint32_t first, last;
};

template <class Ranges>
bool in_ranges(const Ranges& ranges, char32_t code_point) {
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [&](const Range& r) { return code_point >= r.first && code_point <= r.last; });
}

// Composed characters that came with Unicode 13 and 16. The decompositions of `tokenizers` are those of Unicode 9.
constexpr Range kNotDecomposed[] = {{0x105C9, 0x105C9}, {0x105E4, 0x105E4}, {0x11383, 0x11383}, {0x11385, 0x11385},
                                    {0x1138E, 0x1138E}, {0x11391, 0x11391}, {0x113C5, 0x113C5}, {0x113C7, 0x113C8},
                                    {0x11938, 0x11938}, {0x16121, 0x16128}, {0x16D68, 0x16D6A}};

// Capitals that came with Unicode 16 and 17, which `tokenizers` knows and utf8proc 2.8 does not.
struct LowercaseRow {
  uint32_t first, last;
  uint32_t lowercase_of_first;
};
constexpr LowercaseRow kNewCapitals[] = {
    {0x1C89, 0x1C89, 0x1C8A},    {0xA7CB, 0xA7CB, 0x264},    {0xA7CC, 0xA7CC, 0xA7CD}, {0xA7CE, 0xA7CE, 0xA7CF},
    {0xA7D2, 0xA7D2, 0xA7D3},    {0xA7D4, 0xA7D4, 0xA7D5},   {0xA7DA, 0xA7DA, 0xA7DB}, {0xA7DC, 0xA7DC, 0x19B},
    {0x10D50, 0x10D65, 0x10D70}, {0x16EA0, 0x16EB8, 0x16EBB}};
constexpr uint32_t kFirstNewCapital = 0x1C89;

constexpr char32_t kCapitalDottedI = 0x130;  // the only character whose lower case is always two
constexpr char32_t kDotAbove = 0x307;

// Symbols that Unicode counts as alphabetic: circled and squared Latin letters.
constexpr Range kAlphabeticSymbols[] = {{0x24B6, 0x24E9}, {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189}};
constexpr Range kJoiners = {0x200C, 0x200D};

bool is_word_category(utf8proc_category_t category) {
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NL) || category == UTF8PROC_CATEGORY_PC;
}

}  // namespace

uint8_t char_class(char32_t code_point) {
  const CharClassRange* end = kCharClassTable + kCharClassTableSize;
  const CharClassRange* range =
      std::partition_point(kCharClassTable, end, [&](const CharClassRange& r) { return r.last < code_point; });
  return range != end && code_point >= range->first ? range->flags : uint8_t{0};
}

int combining_class(char32_t code_point, uint8_t flags) {
  if ((flags & (kMark | kMovable)) == 0) return 0;  // utf8proc knows marks that came later
  return utf8proc_get_property(static_cast<utf8proc_int32_t>(code_point))->combining_class;
}

void append_decomposition(char32_t code_point, std::vector<char32_t>& out) {
  constexpr utf8proc_ssize_t kRoom = 8;  // the longest canonical decomposition has 4
  std::array<utf8proc_int32_t, kRoom> parts{};
  int boundary = 0;
  const utf8proc_ssize_t count = in_ranges(kNotDecomposed, code_point)
                                     ? 0
                                     : utf8proc_decompose_char(static_cast<utf8proc_int32_t>(code_point), parts.data(),
                                                               kRoom, UTF8PROC_DECOMPOSE, &boundary);
  if (count <= 0 || count > kRoom) {
    out.push_back(code_point);
    return;
  }
  out.insert(out.end(), parts.begin(), parts.begin() + count);
}

char32_t composition(char32_t first, char32_t second) {
  utf8proc_int32_t pair[] = {static_cast<utf8proc_int32_t>(first), static_cast<utf8proc_int32_t>(second)};
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE);
  if (utf8proc_normalize_utf32(pair, std::size(pair), options) != 1) return 0;
  const auto both = static_cast<char32_t>(pair[0]);
  return in_ranges(kNotDecomposed, both) ? 0 : both;
}

void append_lowercase(char32_t code_point, std::vector<char32_t>& out) {
  if (code_point == kCapitalDottedI) {
    out.insert(out.end(), {U'i', kDotAbove});
    return;
  }
  if (code_point >= kFirstNewCapital) {
    for (const LowercaseRow& row : kNewCapitals) {
      if (code_point < row.first || code_point > row.last) continue;
      out.push_back(row.lowercase_of_first + (code_point - row.first));
      return;
    }
  }
  out.push_back(static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(code_point))));
}

bool is_word_character(char32_t code_point) {
  return is_word_category(utf8proc_category(static_cast<utf8proc_int32_t>(code_point))) ||
         in_ranges(kAlphabeticSymbols, code_point) || (code_point >= kJoiners.first && code_point <= kJoiners.last);
}

}  // namespace lathe::text
