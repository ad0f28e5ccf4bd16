#pragma once
// The second half of BERT's tokenizer: a word → the longest pieces of the vocabulary, from left to right.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::text {

/// Tokens by id.
using Pieces = std::span<const std::string>;

/// A hash table of the tokens that start with a prefix, by what follows it. Holds ids alone: the vocabulary belongs to
/// the caller, who passes the same one to every call.
class PieceTable {
 public:
  PieceTable(Pieces vocabulary, std::string_view prefix);

  struct Match {
    int32_t id = -1;  // -1: no piece
    size_t size = 0;  // bytes
  };
  /// The longest piece that `text` starts with. `hashes` is scratch.
  Match longest(Pieces vocabulary, std::string_view text, std::vector<uint32_t>& hashes) const;

 private:
  struct Slot {
    uint32_t hash = 0;
    int32_t id = -1;
  };
  int32_t find(Pieces vocabulary, std::string_view piece, uint32_t hash) const;

  std::vector<Slot> slots_;  // a power of two, at most half full
  size_t prefix_size_;
  size_t longest_ = 0;  // bytes of the longest piece
};

/// Appends the ids of the pieces of `word` (not empty), or `unknown` alone where it cannot be cut completely.
void append_pieces(Pieces vocabulary, const PieceTable& first, const PieceTable& continuing, std::string_view word,
                   int32_t unknown, std::vector<uint32_t>& hashes, std::vector<int32_t>& ids);

}  // namespace lathe::text
