#pragma once
// The two fixed forms of chats that files of older versions name instead of holding a template. For chat.cpp alone.

#include <cstdint>
#include <vector>

#include "runtime/text/template/chat_template.h"
#include "runtime/text/tokenizer.h"

namespace lathe {

/// `messages` are not empty. Errors as chat_tokens().
std::vector<int32_t> fixed_form_tokens(const Tokenizer& tokenizer, const std::vector<ChatMessage>& messages,
                                       bool add_generation_prompt);

}  // namespace lathe
