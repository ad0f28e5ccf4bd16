#pragma once
// A conversation as the tokens that a chat model was trained to continue.

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/text/template/chat_template.h"
#include "runtime/text/tokenizer.h"

namespace lathe {

struct ChatOptions {
  bool add_generation_prompt = true;  // with the beginning of the assistant's answer
  jinja::Moment now;                  // what a template that writes the date takes for it
};

/// The conversation as the model's template writes it, read with its special tokens and nothing added: what a message
/// spells out as a special token is one, as in transformers. A file with one of the fixed forms of older versions gives
/// that form, with spec().default_system where no message is of the system; there, special tokens that a role or a
/// content spells out are text like any other.
///
/// Throws Error{unsupported} where the model has no template, Error{usage} for an empty conversation and for one that
/// the template refuses, Error{malformed} naming a token of a fixed form that the tokenizer lacks, and the errors of
/// jinja::ChatTemplate.
std::vector<int32_t> chat_tokens(const Tokenizer& tokenizer, const std::vector<ChatMessage>& messages,
                                 const ChatOptions& options);

/// Reads the template of a tokenizer, if it has one, and throws what is wrong with it. `name` stands in messages.
void check_chat_template(const TokenizerSpec& spec, const std::string& name);

}  // namespace lathe
