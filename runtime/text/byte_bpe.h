#pragma once
// Byte-level BPE: a piece of text is bytes, and neighbours are merged in the order that training found the merges.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/artifact/tokenizer/tokenizer_spec.h"
#include "runtime/text/token_encoder.h"

namespace lathe::text {

/// Immutable. The ids equal those of Hugging Face `tokenizers`.
class ByteBpe final : public TokenEncoder {
 public:
  /// `spec` is of kind byte_bpe with ids in range; nothing of it is kept.
  explicit ByteBpe(const TokenizerSpec& spec);

  void normalize(std::string_view text, std::string& out) const override;
  void append_tokens(std::string_view normalized, size_t limit, std::vector<int32_t>& ids) const override;
  void append_text(int32_t id, bool first, std::string& out) const override;

 private:
  struct Word;
  std::string_view bytes_of(uint32_t id) const;
  void append_piece(std::string_view piece, Word& word, std::vector<int32_t>& ids) const;
  void merge_short(Word& word) const;
  void merge_long(Word& word) const;
  /// The place of a merge in the list, kNever for a pair that is not merged.
  uint32_t rank_of(uint32_t left, uint32_t right) const;
  /// The token whose bytes are all of `piece`, kNoToken when there is none.
  uint32_t whole_token(std::string_view piece) const;
  void index_merges();
  void index_words(const TokenizerSpec& spec);

  BpeSplit split_;
  bool nfc_, add_prefix_space_;
  std::vector<uint32_t> byte_tokens_;  // 256 ids; kNoToken where the vocabulary has none
  std::vector<BpeMerge> merges_;
  std::vector<uint32_t> merge_slots_;  // hash table of places in merges_; a power of two, at most half full
  std::string bytes_;                  // of all tokens, one after the other
  std::vector<uint32_t> begins_;       // where each token's bytes begin, and the end
  std::vector<uint32_t> words_;        // for ignore_merges: ids in the order of their bytes, without added tokens
};

}  // namespace lathe::text
