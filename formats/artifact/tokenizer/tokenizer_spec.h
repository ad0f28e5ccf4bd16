#pragma once
// What a tokenizer is made of, as the artifact stores it. runtime/text/ builds a working tokenizer from it and
// formats/huggingface/hf_tokenizer.h reads it from tokenizer.json or vocab.txt.

#include <cstdint>
#include <string>
#include <vector>

#include "formats/artifact/bytes.h"

namespace lathe {

enum class TokenizerKind : uint8_t { none = 0, wordpiece = 1, byte_bpe = 2 };

/// How byte-level BPE cuts text before it merges: the expressions of these models (docs/artifact-format.md).
enum class BpeSplit : uint8_t { gpt2 = 0, llama3 = 1, qwen2 = 2, smollm = 3, none = 4 };

/// How a chat becomes one text: not at all; in one of two fixed forms, which only older files have; or as a template
/// says it.
enum class ChatForm : uint8_t { none = 0, chatml = 1, llama3 = 2, jinja = 3 };

/// A text that a chat template may name, such as bos_token.
struct ChatVariable {
  std::string name;
  std::string value;

  bool operator==(const ChatVariable&) const = default;
};

/// The pair of tokens of one merge of byte-level BPE; their place in the list is their rank.
struct BpeMerge {
  uint32_t left = 0;
  uint32_t right = 0;
  uint32_t result = 0;

  bool operator==(const BpeMerge&) const = default;
};

inline constexpr uint32_t kNoToken = 0xffffffffu;

/// A token that is matched in the raw text before anything else (the [CLS] of BERT).
struct AddedToken {
  uint32_t id = 0;
  std::string content;
  bool single_word = false;  // only where not surrounded by word characters
  bool lstrip = false;       // swallows white space on its left
  bool rstrip = false;       // swallows white space on its right
  bool normalized = false;   // matched in the normalized text instead of the raw text
  bool special = true;       // no text: left out of decoded text, not matched in plain text (byte-level BPE only)
};

/// BERT WordPiece: normalizer, pre-tokenizer, greedy longest match, and the template [CLS] A [SEP] (B [SEP]).
/// Byte-level BPE (`bpe`): tokens are written with the 256 printable stand-ins for bytes of GPT-2, added tokens as
/// they are; begin_id and end_id are kNoToken where the model has none.
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
  std::string text_prefix;    // goes before every text; of WordPiece alone
  std::vector<AddedToken> added_tokens;

  // Byte-level BPE only.
  BpeSplit split = BpeSplit::gpt2;
  bool nfc = false;               // text is normalized to NFC first
  bool add_prefix_space = false;  // a space goes before text that does not begin with one
  bool ignore_merges = false;     // a word that is a token is taken as it is
  bool add_begin = false;         // encode() puts begin_id first
  std::vector<BpeMerge> merges;
  std::vector<uint32_t> stop_ids;  // generation ends at any of these
  ChatForm chat = ChatForm::none;
  std::string default_system;  // of a fixed form: what the system says where the user gives no text; may be empty
  // Of ChatForm::jinja, and empty otherwise.
  std::string chat_template;
  std::vector<ChatVariable> chat_variables;

  bool operator==(const TokenizerSpec&) const = default;
};
bool operator==(const AddedToken& a, const AddedToken& b);

/// The bytes of the artifact's tokenizer section (docs/artifact-format.md). decode validates everything: throws
/// Error{malformed} naming `file` on duplicate tokens, ids out of range, or bytes left over.
std::vector<std::byte> encode_tokenizer(const TokenizerSpec& spec);
TokenizerSpec decode_tokenizer(Bytes section, const std::string& file);

}  // namespace lathe
