#pragma once
// What a tokenizer is made of, as the artifact stores it. runtime/text/ builds a working tokenizer from it and
// formats/hf_tokenizer.h reads it from tokenizer.json or vocab.txt.

#include <cstdint>
#include <string>
#include <vector>

#include "formats/artifact/bytes.h"

namespace lathe {

enum class TokenizerKind : uint8_t { none = 0, wordpiece = 1 };

/// A token that is matched in the raw text before anything else (the [CLS] of BERT).
struct AddedToken {
  uint32_t id = 0;
  std::string content;
  bool single_word = false;  // only where not surrounded by word characters
  bool lstrip = false;       // swallows white space on its left
  bool rstrip = false;       // swallows white space on its right
  bool normalized = false;   // matched in the normalized text instead of the raw text
};

/// BERT WordPiece: normalizer, pre-tokenizer, greedy longest match, and the template [CLS] A [SEP] (B [SEP]).
struct TokenizerSpec {
  TokenizerKind kind = TokenizerKind::none;
  std::vector<std::string> vocabulary;  // id -> token, UTF-8, unique
  std::string continuing_prefix = "##";
  uint32_t max_chars_per_word = 100;  // in code points; longer words become the unknown token
  bool clean_text = true;
  bool split_chinese = true;
  bool strip_accents = true;
  bool lowercase = true;
  uint32_t unknown_id = 0;
  uint32_t begin_id = 0;  // [CLS]
  uint32_t end_id = 0;    // [SEP]
  uint32_t pad_id = 0;
  uint32_t max_length = 512;  // tokens of one text, begin and end included; longer texts are cut
  std::vector<AddedToken> added_tokens;

  bool operator==(const TokenizerSpec&) const = default;
};
bool operator==(const AddedToken& a, const AddedToken& b);

/// The bytes of the artifact's tokenizer section (docs/artifact-format.md). decode validates everything: throws
/// Error{malformed} naming `file` on duplicate tokens, ids out of range, or bytes left over.
std::vector<std::byte> encode_tokenizer(const TokenizerSpec& spec);
TokenizerSpec decode_tokenizer(Bytes section, const std::string& file);

}  // namespace lathe
