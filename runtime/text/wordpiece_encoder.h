#pragma once
// BERT WordPiece: normalized text → words → pieces.

#include "formats/artifact/tokenizer/tokenizer_spec.h"
#include "runtime/text/bert_words.h"
#include "runtime/text/token_encoder.h"
#include "runtime/text/wordpiece.h"

namespace lathe::text {

class WordPieceEncoder final : public TokenEncoder {
 public:
  /// `spec` is of kind wordpiece with ids in range and outlives the encoder.
  explicit WordPieceEncoder(const TokenizerSpec& spec);

  void normalize(std::string_view text, std::string& out) const override;
  void append_tokens(std::string_view normalized, size_t limit, std::vector<int32_t>& ids) const override;
  /// Tokens stand apart by a blank, but for those that continue a word.
  void append_text(int32_t id, bool first, std::string& out) const override;

 private:
  Pieces pieces() const { return Pieces(spec_.vocabulary).first(piece_count_); }

  const TokenizerSpec& spec_;
  NormalizerOptions normalizer_;
  size_t piece_count_;  // ids below are pieces of words; added tokens follow
  PieceTable first_pieces_;
  PieceTable continuing_pieces_;
};

}  // namespace lathe::text
