#pragma once
// Finds added tokens ([CLS] and the like) in a text before it is cut into words.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/artifact/tokenizer/tokenizer_spec.h"

namespace lathe::text {

/// A stretch of text between added tokens, or an added token with the white space that it swallows.
struct Segment {
  std::string_view text;
  int32_t id = kNoToken;  // of the added token

  static constexpr int32_t kNoToken = -1;
};

/// Cuts text at added tokens: leftmost first, longest of those that start at one place, no overlap.
class AddedTokenFinder {
 public:
  /// `tokens` whose content is what has to be found; empty ones are never found, of equal ones the first is.
  explicit AddedTokenFinder(std::vector<AddedToken> tokens);

  bool empty() const { return tokens_.empty(); }
  /// The segments cover `text` in order.
  std::vector<Segment> split(std::string_view text) const;

 private:
  const AddedToken* match_at(std::string_view text, size_t at) const;

  std::vector<AddedToken> tokens_;  // by first byte, then the longest first
  std::array<uint32_t, 257>
      first_of_byte_{};  // tokens that start with byte b: [first_of_byte_[b], first_of_byte_[b+1])
};

}  // namespace lathe::text
