#include "runtime/text/chat.h"

#include "formats/artifact/error.h"
#include "runtime/text/chat_forms.h"

namespace lathe {

std::vector<int32_t> chat_tokens(const Tokenizer& tokenizer, const std::vector<ChatMessage>& messages,
                                 const ChatOptions& options) {
  if (messages.empty()) fail(Errc::usage, "a conversation needs at least one message");
  const TokenizerSpec& spec = tokenizer.spec();
  if (spec.chat != ChatForm::jinja) return fixed_form_tokens(tokenizer, messages, options.add_generation_prompt);
  jinja::ChatTemplate::Conversation conversation{messages, options.add_generation_prompt, {}, options.now};
  for (const ChatVariable& one : spec.chat_variables) conversation.variables.emplace_back(one.name, one.value);
  const jinja::ChatTemplate chat(spec.chat_template, "chat template");
  return tokenizer.encode_special(chat.render(conversation));
}

void check_chat_template(const TokenizerSpec& spec, const std::string& name) {
  if (spec.chat == ChatForm::jinja) static_cast<void>(jinja::ChatTemplate(spec.chat_template, name));
}

}  // namespace lathe
