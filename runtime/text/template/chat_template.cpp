#include "runtime/text/template/chat_template.h"

#include "runtime/text/template/context.h"
#include "runtime/text/template/interpreter.h"
#include "runtime/text/template/syntax/parser.h"
#include "runtime/text/unicode/utf8.h"

namespace lathe::jinja {

struct ChatTemplate::Parsed {
  std::string name;
  Block block;
};

ChatTemplate::ChatTemplate(std::string_view source, std::string name) {
  Block block = parse_template(source, name);
  parsed_ = std::make_shared<const Parsed>(Parsed{std::move(name), std::move(block)});
}

std::string ChatTemplate::render(const Conversation& conversation, const Limits& limits) const {
  Context context(parsed_->name, limits, conversation.now);
  const auto text = [&](const std::string& bytes) { return context.text(text::valid_utf8(bytes)); };
  Values messages;
  for (const ChatMessage& one : conversation.messages) {
    messages.push_back(context.dict({{text("role"), text(one.role)}, {text("content"), text(one.content)}}));
  }
  std::vector<std::pair<std::string, Value>> globals;
  for (const auto& [name, value] : conversation.variables) globals.emplace_back(name, text(value));
  globals.emplace_back("messages", context.list(std::move(messages)));
  globals.emplace_back("add_generation_prompt", conversation.add_generation_prompt);
  globals.emplace_back("tools", None{});
  globals.emplace_back("documents", None{});
  Interpreter interpreter(context, std::move(globals));
  return interpreter.run(parsed_->block);
}

}  // namespace lathe::jinja
