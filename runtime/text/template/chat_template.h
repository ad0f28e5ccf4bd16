#pragma once
// Templates of chats, in the part of the Jinja language that models use. They are read and run here, by the rules of
// transformers: an immutable sandbox, trim_blocks, lstrip_blocks and loop controls. Nothing that a template says
// reaches beyond the text that it gives, and steps, memory and depth have limits.

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/text/template/limits.h"

namespace lathe {

/// One turn of a conversation.
struct ChatMessage {
  std::string role;  // "system", "user" or "assistant"
  std::string content;
};

namespace jinja {

/// A template that has been read. Immutable, so that any number of threads may render one; copies share everything.
class ChatTemplate {
 public:
  struct Conversation {
    std::vector<ChatMessage> messages;
    bool add_generation_prompt = true;
    /// Texts that the template may name, such as bos_token; what is not here is undefined.
    std::vector<std::pair<std::string, std::string>> variables;
    Moment now;
  };

  /// `name` stands in messages. Throws Error{malformed} for what is no template, Error{unsupported} naming what of the
  /// language is not handled, both with the line; Error{limit} for one that is too long or nested too deeply.
  ChatTemplate(std::string_view source, std::string name);

  /// The text of the conversation. Throws Error{usage} with what the template says where it refuses the conversation,
  /// Error{malformed} with the line where it uses values in a way that they do not have, Error{unsupported} for a
  /// construct that only running it shows, Error{limit} beyond `limits`.
  std::string render(const Conversation& conversation, const Limits& limits = {}) const;

 private:
  struct Parsed;
  std::shared_ptr<const Parsed> parsed_;
};

}  // namespace jinja
}  // namespace lathe
