#include "runtime/text/unicode/unicode_class.h"

#include <algorithm>
#include <array>

namespace lathe::text {
namespace {

constexpr size_t kQuick = 0x250;  // Latin letters, which most texts are made of

uint8_t search(char32_t code_point) {
  const UnicodeClassRange* end = kUnicodeClassTable + kUnicodeClassTableSize;
  const UnicodeClassRange* range =
      std::partition_point(kUnicodeClassTable, end, [&](const auto& r) { return r.last < code_point; });
  return range != end && code_point >= range->first ? range->flags : uint8_t{0};
}

std::array<uint8_t, kQuick> quick_classes() {
  std::array<uint8_t, kQuick> classes{};
  for (size_t c = 0; c < classes.size(); ++c) classes[c] = search(static_cast<char32_t>(c));
  return classes;
}

}  // namespace

uint8_t unicode_class(char32_t code_point) {
  static const std::array<uint8_t, kQuick> quick = quick_classes();
  return code_point < kQuick ? quick[code_point] : search(code_point);
}

}  // namespace lathe::text
