#pragma once
// Tokens in one by one, text out as soon as its characters are complete.

#include <cstdint>
#include <string>

#include "runtime/text/tokenizer.h"

namespace lathe {

/// The texts it returns, one after the other, are always valid UTF-8: those of Tokenizer::decode() with U+FFFD for what
/// is not UTF-8.
class StreamDecoder {
 public:
  /// `tokenizer` outlives the decoder.
  explicit StreamDecoder(const Tokenizer& tokenizer, bool skip_special = true);

  /// The characters that `id` completes; may be empty. Errors as decode().
  std::string push(int32_t id);
  /// What is left at the end: U+FFFD for a character that never was completed. The decoder then is as new.
  std::string flush();

 private:
  /// Takes the first `size` waiting bytes.
  std::string take(size_t size);

  const Tokenizer* tokenizer_;
  bool skip_special_;
  bool first_ = true;
  std::string waiting_;  // at most 3 bytes between calls: the beginning of one character
};

}  // namespace lathe
