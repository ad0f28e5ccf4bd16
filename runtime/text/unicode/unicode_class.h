#pragma once
// What the expressions that cut text for byte-level BPE need to know about a code point. The answers are those of
// Hugging Face `tokenizers`: \p{L}, \p{N} and \s of its regular expressions, and the digits of its `Digits` step, which
// are those of another version of Unicode.

#include <cstddef>
#include <cstdint>
#include <iterator>

namespace lathe::text {

// Flags of a code point. The first three exclude each other.
enum UnicodeClass : uint8_t {
  kLetter = 1,   // \p{L}
  kNumber = 2,   // \p{N}
  kWhite = 4,    // \s
  kNumeric = 8,  // what `Digits` cuts off
};

struct UnicodeClassRange {
  uint32_t first, last;
  uint8_t flags;
};

extern const UnicodeClassRange kUnicodeClassTable[];  // sorted, disjoint
extern const size_t kUnicodeClassTableSize;

/// The UnicodeClass flags of any number.
uint8_t unicode_class(char32_t code_point);

}  // namespace lathe::text
