#pragma once
// Text → token ids, as the model was trained with, and back. The ids equal those of Hugging Face `tokenizers` for BERT
// WordPiece and for byte-level BPE.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/artifact/tokenizer/tokenizer_spec.h"
#include "runtime/text/added_tokens.h"
#include "runtime/text/token_encoder.h"

namespace lathe {

/// Immutable, so that any number of threads may use one; copies share everything.
class Tokenizer {
 public:
  static constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();

  /// Throws Error{unsupported} for a kind that cannot cut text, Error{malformed} where ids of the spec are out of
  /// range.
  explicit Tokenizer(TokenizerSpec spec);

  /// The ids of [CLS] text [SEP], with spec().text_prefix before the text, or of byte-level BPE with the begin token
  /// where spec().add_begin: at most `max_length` of them (at least as many as there are begin and end tokens, else
  /// Error{usage}), of which those at the end of the text are cut. Added tokens in the text are found. Any bytes are
  /// accepted; what is not UTF-8 is read as U+FFFD.
  std::vector<int32_t> encode(std::string_view text, size_t max_length) const;
  /// Cut at spec().max_length.
  std::vector<int32_t> encode(std::string_view text) const { return encode(text, spec_->max_length); }
  /// The text alone, uncut: no begin and end token, and special tokens in the text are text like any other.
  std::vector<int32_t> encode_plain(std::string_view text) const;
  /// The same with special tokens in the text found.
  std::vector<int32_t> encode_special(std::string_view text) const;

  /// The text that the ids stand for: the bytes of byte-level BPE, which are UTF-8 where the ids come from a text;
  /// pieces of WordPiece joined, words apart by a blank. `skip_special` leaves special tokens out. Ids from
  /// vocabulary_size() on, which an embedding with more rows than tokens can give, stand for nothing. Throws
  /// Error{usage} naming a negative id.
  std::string decode(std::span<const int32_t> ids, bool skip_special = true) const;
  /// decode() of one token: `first` where it begins a text.
  void append_decoded(int32_t id, bool first, bool skip_special, std::string& out) const;

  const TokenizerSpec& spec() const { return *spec_; }
  /// encode() returns ids below this.
  size_t vocabulary_size() const { return spec_->vocabulary.size(); }

 private:
  /// Added tokens that are found in the raw text, and those found in the normalized text.
  struct Finders {
    text::AddedTokenFinder raw, normalized;
  };
  Finders finders(bool with_special) const;
  void append_text(const Finders& finders, std::string_view text, size_t limit, std::vector<int32_t>& ids) const;
  void append_segment(const Finders& finders, std::string_view text, size_t limit, std::vector<int32_t>& ids) const;

  std::shared_ptr<const TokenizerSpec> spec_;
  std::shared_ptr<const text::TokenEncoder> encoder_;  // uses *spec_
  Finders all_, plain_;
  std::vector<bool> special_;  // by id
  bool has_begin_, has_end_;   // what encode() puts around a text
};

}  // namespace lathe
