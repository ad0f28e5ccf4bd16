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

/// Sets spec.chat and spec.default_system from the text of a Jinja template, which is looked at and never evaluated:
/// the form is told by the tokens that it writes and that the tokenizer has; the system text is the literal one between
/// "<|im_start|>system" and "<|im_end|>". A template of another form leaves ChatForm::none.
void read_chat_template(std::string_view text, TokenizerSpec& spec);

}  // namespace lathe
