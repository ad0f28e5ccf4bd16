// Any text as a chat template, and as what is said in a chat: an error, or a text within the limits.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "formats/artifact/error.h"
#include "formats/text.h"
#include "runtime/text/template/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lathe;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  jinja::ChatTemplate::Conversation conversation;
  conversation.messages = {{"system", "Be kind."}, {"user", std::string(text.substr(0, 64))}, {"assistant", "a\n<b>"}};
  conversation.variables = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
  conversation.now = {2024, 7, 6, 15, 4, 5};
  const jinja::Limits limits{.steps = 200'000, .text_bytes = 1 << 16};
  try {
    const std::string out = jinja::ChatTemplate(text, "fuzz").render(conversation, limits);
    if (out.size() > limits.text_bytes || !is_utf8(out)) std::abort();
  } catch (const Error& error) {
    if (error.code() == Errc::internal) std::abort();
  }
  return 0;
}
