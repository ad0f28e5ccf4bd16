#pragma once
// A conversation as the tokens that a chat model was trained to continue.

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/text/tokenizer.h"

namespace lathe {

struct ChatMessage {
  std::string role;  // "system", "user" or "assistant"
  std::string content;
};

/// The conversation in the form that tokenizer.spec().chat names, with spec().default_system first where no message is
/// of the system, and, with `add_generation_prompt`, the beginning of the assistant's answer. Special tokens that a
/// role or a content spells out are text like any other. Throws Error{unsupported} where the model has no such form,
/// Error{usage} for an empty conversation, Error{malformed} naming a token of the form that the tokenizer lacks.
std::vector<int32_t> chat_tokens(const Tokenizer& tokenizer, const std::vector<ChatMessage>& messages,
                                 bool add_generation_prompt);

}  // namespace lathe
