#pragma once
// UTF-8 in and out, one code point at a time, for text from anywhere.

#include <cstddef>
#include <string>
#include <string_view>

namespace lathe::text {

constexpr char32_t kReplacement = 0xFFFD;

struct Decoded {
  char32_t code_point = kReplacement;
  size_t size = 1;  // bytes taken
};

/// The code point at text[at], at < text.size(). Bytes that are not UTF-8 give U+FFFD, once for each longest run that
/// could have started a character.
Decoded decode_utf8(std::string_view text, size_t at);

/// The code point that ends at `end`, 0 < end <= text.size().
Decoded decode_utf8_before(std::string_view text, size_t end);

/// How many bytes at the beginning of `text` do not depend on bytes that may follow: all but a character at the end
/// that is not complete yet.
size_t complete_utf8(std::string_view text);

/// `text` with U+FFFD for what is not UTF-8.
std::string valid_utf8(std::string_view text);

/// `code_point` is a Unicode scalar value.
void append_utf8(char32_t code_point, std::string& out);

constexpr bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

}  // namespace lathe::text
