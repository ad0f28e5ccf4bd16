#include "formats/artifact/utf8.h"

#include <algorithm>
#include <iterator>

namespace lathe {
namespace {

// Sorted. No row holds continuation bytes, leads of overlong forms, or those of code points beyond U+10FFFF.
constexpr Utf8Lead kLeads[] = {{0x00, 0x7F, 1, 0, 0},       {0xC2, 0xDF, 2, 0x80, 0xBF}, {0xE0, 0xE0, 3, 0xA0, 0xBF},
                               {0xE1, 0xEC, 3, 0x80, 0xBF}, {0xED, 0xED, 3, 0x80, 0x9F}, {0xEE, 0xEF, 3, 0x80, 0xBF},
                               {0xF0, 0xF0, 4, 0x90, 0xBF}, {0xF1, 0xF3, 4, 0x80, 0xBF}, {0xF4, 0xF4, 4, 0x80, 0x8F}};

}  // namespace

const Utf8Lead* find_utf8_lead(uint8_t byte) noexcept {
  const auto* row = std::find_if(std::begin(kLeads), std::end(kLeads), [&](const auto& r) { return byte <= r.last; });
  return row != std::end(kLeads) && byte >= row->first ? row : nullptr;
}

}  // namespace lathe
