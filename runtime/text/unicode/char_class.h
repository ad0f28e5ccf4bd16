#pragma once
// What BERT's text rules need to know about a code point. The answers are those of Hugging Face `tokenizers`, whose
// Unicode data are older than any library's and stay so: trained vocabularies depend on them.

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <vector>

namespace lathe::text {

// Flags of a code point; most have none.
enum CharClass : uint8_t {
  kControl = 1,      // dropped when text is cleaned
  kSpace = 2,        // separates words
  kPunctuation = 4,  // a word of its own
  kMark = 8,         // an accent (non-spacing mark)
  kChinese = 16,     // an ideograph, a word of its own
  kMovable = 32,     // not a kMark, and yet normalization sorts it among the marks around it
};

struct CharClassRange {
  uint32_t first, last;
  uint8_t flags;
};

extern const CharClassRange kCharClassTable[];  // sorted, disjoint
extern const size_t kCharClassTableSize;

/// The CharClass flags of any number.
uint8_t char_class(char32_t code_point);

/// The canonical combining class: 0 for a character that marks do not move across. `flags` are its char_class.
int combining_class(char32_t code_point, uint8_t flags);

/// Appends the full canonical decomposition (NFD of this one code point, not reordered against its neighbours).
void append_decomposition(char32_t code_point, std::vector<char32_t>& out);

/// The character that `first` and `second` together are in NFC, 0 when there is none.
char32_t composition(char32_t first, char32_t second);

/// Appends the lower case, by the mapping without context: a final sigma is like any other.
void append_lowercase(char32_t code_point, std::vector<char32_t>& out);

/// Letter, mark, decimal digit, letter number, connector or joiner: what an added token of a "single word" must not
/// touch. By utf8proc's own Unicode, so letters of the latest scripts may be missed.
bool is_word_character(char32_t code_point);

}  // namespace lathe::text
