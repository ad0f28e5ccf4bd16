#pragma once
// Text → token ids, as the model was trained with. The ids equal those of Hugging Face `tokenizers` for BERT WordPiece.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "formats/artifact/tokenizer_spec.h"
#include "runtime/text/added_tokens.h"
#include "runtime/text/bert_words.h"
#include "runtime/text/wordpiece.h"

namespace lathe {

/// Immutable, so that any number of threads may use one.
class Tokenizer {
 public:
  static constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();

  /// Throws Error{unsupported} unless the spec is a WordPiece tokenizer, Error{malformed} where its ids are out of
  /// range.
  explicit Tokenizer(TokenizerSpec spec);

  /// The ids of [CLS] text [SEP]: at most `max_length` of them (>= 2, else Error{usage}), of which the pieces at the
  /// end are cut. Any bytes are accepted; what is not UTF-8 is read as U+FFFD.
  std::vector<int32_t> encode(std::string_view text, size_t max_length) const;
  /// Cut at spec().max_length.
  std::vector<int32_t> encode(std::string_view text) const { return encode(text, spec_.max_length); }

  const TokenizerSpec& spec() const { return spec_; }
  /// encode() returns ids below this.
  size_t vocabulary_size() const { return spec_.vocabulary.size(); }

 private:
  struct Output;
  void append_segment(std::string_view text, Output& output) const;
  void append_words(std::string_view normalized, Output& output) const;
  text::Pieces pieces() const { return text::Pieces(spec_.vocabulary).first(piece_count_); }

  TokenizerSpec spec_;
  text::NormalizerOptions normalizer_;
  text::AddedTokenFinder raw_tokens_;         // found in the raw text
  text::AddedTokenFinder normalized_tokens_;  // found in the normalized text
  size_t piece_count_;                        // ids below are pieces of words; added tokens follow
  text::PieceTable first_pieces_;
  text::PieceTable continuing_pieces_;
};

}  // namespace lathe
