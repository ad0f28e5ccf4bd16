#include "runtime/text/chat_forms.h"

#include <algorithm>
#include <string_view>

#include "formats/artifact/error.h"

namespace lathe {
namespace {

constexpr std::string_view kSystem = "system";
constexpr std::string_view kAssistant = "assistant";

/// Appends to a conversation token by token and text by text.
class Conversation {
 public:
  explicit Conversation(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  void special(std::string_view content) {
    for (const AddedToken& token : tokenizer_.spec().added_tokens) {
      if (token.content == content) return ids_.push_back(static_cast<int32_t>(token.id));
    }
    fail(Errc::malformed, message("tokenizer: the chat form needs the token ", content, ", which is not there"));
  }
  void text(std::string_view text) {
    const std::vector<int32_t> ids = tokenizer_.encode_plain(text);
    ids_.insert(ids_.end(), ids.begin(), ids.end());
  }
  std::vector<int32_t> take() { return std::move(ids_); }

 private:
  const Tokenizer& tokenizer_;
  std::vector<int32_t> ids_;
};

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\n\v\f\r";
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// <|im_start|>role\ncontent<|im_end|>\n

void chatml_role(Conversation& out, std::string_view role, std::string_view content) {
  out.special("<|im_start|>");
  out.text(message(role, "\n", content));
}

void chatml_message(Conversation& out, const ChatMessage& one) {
  chatml_role(out, one.role, one.content);
  out.special("<|im_end|>");
  out.text("\n");
}

void chatml_prompt(Conversation& out) { chatml_role(out, kAssistant, ""); }

// <|start_header_id|>role<|end_header_id|>\n\ncontent<|eot_id|>

void llama3_role(Conversation& out, std::string_view role, std::string_view content) {
  out.special("<|start_header_id|>");
  out.text(role);
  out.special("<|end_header_id|>");
  out.text(message("\n\n", content));
}

void llama3_message(Conversation& out, const ChatMessage& one) {
  llama3_role(out, one.role, trimmed(one.content));
  out.special("<|eot_id|>");
}

void llama3_prompt(Conversation& out) { llama3_role(out, kAssistant, ""); }

struct FormRow {
  ChatForm form;
  const char* begin;  // the token before everything, null where there is none
  void (*message)(Conversation&, const ChatMessage&);
  void (*prompt)(Conversation&);
};
constexpr FormRow kForms[] = {{ChatForm::chatml, nullptr, chatml_message, chatml_prompt},
                              {ChatForm::llama3, "<|begin_of_text|>", llama3_message, llama3_prompt}};

}  // namespace

std::vector<int32_t> fixed_form_tokens(const Tokenizer& tokenizer, const std::vector<ChatMessage>& messages,
                                       bool add_generation_prompt) {
  const TokenizerSpec& spec = tokenizer.spec();
  const auto* row =
      std::find_if(std::begin(kForms), std::end(kForms), [&](const auto& r) { return r.form == spec.chat; });
  if (row == std::end(kForms)) fail(Errc::unsupported, "the model has no chat template; give it plain text");
  Conversation out(tokenizer);
  if (row->begin != nullptr) out.special(row->begin);
  const bool has_system =
      std::any_of(messages.begin(), messages.end(), [](const ChatMessage& one) { return one.role == kSystem; });
  if (!has_system && !spec.default_system.empty()) {
    row->message(out, {std::string(kSystem), spec.default_system});
  }
  for (const ChatMessage& one : messages) row->message(out, one);
  if (add_generation_prompt) row->prompt(out);
  return out.take();
}

}  // namespace lathe
