// What transformers makes of templates, recorded by experiments/references/record_chat_templates.py.

#include <catch2/catch.hpp>
#include <string>

#include "formats/artifact/error.h"
#include "formats/json.h"
#include "runtime/text/template/chat_template.h"
#include "tests/runtime/text/tokenizer_data.h"
#include "tests/support/paths.h"

namespace lathe {
namespace {

using jinja::ChatTemplate;

std::filesystem::path recorded_chat(const std::string& name) { return test::data_path("chat") / name; }

std::vector<ChatTemplate::Conversation> conversations() {
  const Json file = read_json_file(recorded_chat("conversations.json"));
  std::vector<int> now;
  for (const Json& number : file.at("now").items()) now.push_back(static_cast<int>(number.as_u64()));
  std::vector<ChatTemplate::Conversation> out;
  for (const Json& row : file.at("conversations").items()) {
    ChatTemplate::Conversation& one = out.emplace_back();
    for (const Json& message : row.at("messages").items()) {
      one.messages.push_back({message.at("role").as_string(), message.at("content").as_string()});
    }
    one.add_generation_prompt = row.at("add_generation_prompt").as_bool();
    for (const Json::Member& variable : file.at("variables").members()) {
      one.variables.emplace_back(variable.key, variable.value.as_string());
    }
    one.now = {now[0], now[1], now[2], now[3], now[4], now[5]};
  }
  return out;
}

/// The text, or a line that begins with "error".
std::string outcome(const std::string& source, const ChatTemplate::Conversation& conversation) {
  try {
    return ChatTemplate(source, "t").render(conversation);
  } catch (const Error& error) {
    return std::string("error: ") + error.what();
  }
}

void check_outcome(const Json& expected, const std::string& found) {
  if (const Json* text = expected.find("text")) {
    CHECK(found == text->as_string());
    return;
  }
  CHECK_THAT(found, Catch::Matchers::StartsWith("error: t: line "));
  constexpr std::string_view kRaised = "TemplateError: ";
  const std::string& error = expected.at("error").as_string();
  if (error.starts_with(kRaised)) CHECK_THAT(found, Catch::Matchers::EndsWith(error.substr(kRaised.size())));
}

TEST_CASE("chat templates give the bytes that transformers gives", "[text][template][reference]") {
  const std::vector<ChatTemplate::Conversation> all = conversations();
  const Json file = read_json_file(recorded_chat("templates.json"));
  CHECK(file.members().size() >= 20);
  for (const Json::Member& member : file.members()) {
    const std::string source = test::text_of(recorded_chat(member.key + ".jinja"));
    REQUIRE(member.value.items().size() == all.size());
    for (size_t i = 0; i < all.size(); ++i) {
      INFO(member.key << ", conversation " << i);
      check_outcome(member.value.items()[i], outcome(source, all[i]));
    }
  }
}

TEST_CASE("every construct means what it means in Jinja", "[text][template][reference]") {
  const ChatTemplate::Conversation first = conversations().at(0);
  const Json file = read_json_file(recorded_chat("snippets.json"));
  for (const Json& row : file.items()) {
    INFO(row.at("template").as_string());
    check_outcome(row, outcome(row.at("template").as_string(), first));
  }
}

}  // namespace
}  // namespace lathe
