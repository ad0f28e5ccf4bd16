#pragma once
// The first half of BERT's tokenizer: text → normalized text → words. Any bytes are accepted; what is not UTF-8 is read
// as U+FFFD. Both steps give what Hugging Face BertNormalizer and BertPreTokenizer give.

#include <cstddef>
#include <string>
#include <string_view>

#include "runtime/text/unicode/char_class.h"
#include "runtime/text/unicode/utf8.h"

namespace lathe::text {

struct NormalizerOptions {
  bool clean_text = true;     // drop control characters, make every white space a blank
  bool split_chinese = true;  // blanks around each ideograph
  bool strip_accents = true;  // NFD without non-spacing marks
  bool lowercase = true;
};

/// Appends the normalized `text`, as valid UTF-8, to `out`.
void normalize(std::string_view text, const NormalizerOptions& options, std::string& out);

/// A maximal piece between white space, or one punctuation character.
struct Word {
  std::string_view text;   // empty: there is no further word
  size_t code_points = 0;  // of text
};

/// The first word of `normalized` that begins at byte `at` or later; moves `at` to the end of that word.
Word next_word(std::string_view normalized, size_t& at);

}  // namespace lathe::text
