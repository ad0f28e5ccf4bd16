#pragma once
// Which bytes form a character of UTF-8.

#include <cstdint>

namespace lathe {

/// What the first byte of a character says about the bytes after it (table 3-7 of the Unicode standard).
struct Utf8Lead {
  uint8_t first, last;                // the first bytes that this row is about
  uint8_t length;                     // bytes of the character
  uint8_t second_least, second_most;  // the range of its second byte; those after it are from 80 to BF
};

/// The row of a first byte; null when no character begins with it.
const Utf8Lead* find_utf8_lead(uint8_t byte) noexcept;

}  // namespace lathe
