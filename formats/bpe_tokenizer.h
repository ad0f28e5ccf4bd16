#pragma once
// What all readers of byte-level BPE tokenizers share, whatever file it comes from.

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "formats/artifact/tokenizer/tokenizer_spec.h"
#include "formats/huggingface/vocabulary.h"

namespace lathe {

/// max_length of a tokenizer that knows none.
inline constexpr uint32_t kAnyLength = std::numeric_limits<uint32_t>::max();

/// A specification of kind byte_bpe without any of the special tokens.
TokenizerSpec empty_byte_bpe();

/// The merge of two tokens by their text. Throws Error{malformed} naming `what` when a part or the result is not in the
/// vocabulary.
BpeMerge find_merge(const Vocabulary& vocabulary, std::string_view left, std::string_view right, std::string_view what);
/// The merge that the text "left right" names. Throws Error{malformed} as well when these are not two parts.
BpeMerge find_merge(const Vocabulary& vocabulary, std::string_view line, std::string_view what);

/// Throws Error{malformed} naming `path` and the tokens when a pair is merged twice.
void check_merges_differ(const TokenizerSpec& spec, std::string_view path);

/// Adds an id to spec.stop_ids, once.
void add_stop(TokenizerSpec& spec, uint32_t id);
/// Adds the added tokens that end a text or a turn in all models that have them.
void add_known_stops(TokenizerSpec& spec);

/// Takes the text of a chat template as it is; an empty one is none. Throws Error{malformed} naming `subject` when it
/// is not UTF-8.
void set_chat_template(std::string text, const std::string& subject, TokenizerSpec& spec);
/// A text that the template may name, such as bos_token. Nothing where there is no template.
void add_chat_variable(std::string_view name, std::string_view value, TokenizerSpec& spec);

}  // namespace lathe
