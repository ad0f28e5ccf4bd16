// What is said of templates that cannot be read or run.

#include "runtime/text/template/chat_template.h"

#include <catch2/catch.hpp>
#include <string>
#include <thread>

#include "tests/formats/expect_error.h"

namespace lathe {
namespace {

using jinja::ChatTemplate;
using test::expect_error;

std::string render(const std::string& source, std::vector<ChatMessage> messages = {{"user", "hi"}}) {
  ChatTemplate::Conversation conversation;
  conversation.messages = std::move(messages);
  conversation.variables = {{"bos_token", "<s>"}};
  conversation.now = {2024, 7, 6, 15, 4, 5};
  return ChatTemplate(source, "config.json: chat_template").render(conversation);
}

TEST_CASE("what is outside the language is named with its line when the template is read", "[text][template]") {
  struct Row {
    const char* source;
    const char* named;
  };
  const Row rows[] = {
      {"a\n{% include 'x' %}", "line 2: the tag 'include'"},
      {"{% import 'x' as y %}", "the tag 'import'"},
      {"{% extends 'x' %}", "the tag 'extends'"},
      {"{% block a %}{% endblock %}", "the tag 'block'"},
      {"{% do x %}", "the tag 'do'"},
      {"{% autoescape true %}{% endautoescape %}", "the tag 'autoescape'"},
      {"{{ 1 }}\n\n{{ x|urlize }}", "line 3: the filter 'urlize'"},
      {"{{ x|random }}", "the filter 'random'"},
      {"{% if x is weird %}{% endif %}", "the test 'weird'"},
      {"{{ cycler(1, 2) }}", "the function 'cycler'"},
      {"{{ f(*x) }}", "an argument with *"},
      {"{{ f(**x) }}", "an argument with **"},
      {"{{ a[1, 2] }}", "a subscript of several values"},
      {"{% for a in b recursive %}{% endfor %}", "a recursive loop"},
      {"{{ x|trim(1, 2) }}", "'trim' takes 1 arguments at most, not 2"},
      {"{{ x|tojson(default=1) }}", "'tojson' has no argument 'default'"},
      {"{{ x|replace('a') }}", "'replace' needs the argument 'new'"},
  };
  for (const Row& row : rows) {
    INFO(row.source);
    expect_error(Errc::unsupported, {"config.json: chat_template: line ", row.named},
                 [&] { ChatTemplate(row.source, "config.json: chat_template"); });
  }
}

TEST_CASE("what is no template is malformed, with its line", "[text][template]") {
  struct Row {
    const char* source;
    const char* named;
  };
  const Row rows[] = {
      {"\n{{ a", "line 2: a {{ is not closed"},
      {"{% if a", "a {% is not closed"},
      {"{# a", "a comment is not closed"},
      {"{% raw %} a", "a raw block is not closed"},
      {"{{ 'a }}", "a string is not closed"},
      {"{{ '\\xZ' }}", "an escape that is not handled, \\x"},
      {"{{ '\\ud83d' }}", "an escape that is not handled, \\u"},
      {"{{ ? }}", "an unexpected character \"?\""},
      {"{{ \xC3\xA9 }}", "an unexpected character \"\xC3\xA9\""},
      {"{{ (1] }}", "an unexpected ']'"},
      {"{{ }}", "expected an expression, found '}}'"},
      {"{{ 1 2 }}", "expected '}}', found '2'"},
      {"{% if 1 %}", "'endif' is missing at the end of the template"},
      {"{% for a in b %}\n{% endif %}", "line 2: 'endif' ends nothing"},
      {"{% endfor %}", "'endfor' ends nothing"},
      {"{% break %}", "'break' outside of a loop"},
      {"{% for a in b %}{% macro m() %}{% continue %}{% endmacro %}{% endfor %}", "'continue' outside of a loop"},
      {"{% set 1 = 2 %}", "expected a name to assign to, found '1'"},
      {"{% macro m(a=1, b) %}{% endmacro %}", "a parameter without a default"},
      {"{{ f(a=1, 2) }}", "an argument without a name"},
      {"{{ a[] }}", "an empty subscript"},
      {"{{ 1x }}", "a number runs into a name"},
  };
  for (const Row& row : rows) {
    INFO(row.source);
    expect_error(Errc::malformed, {"t: line ", row.named}, [&] { ChatTemplate(row.source, "t"); });
  }
}

TEST_CASE("what only running shows is an error with its line", "[text][template]") {
  expect_error(Errc::malformed, {"config.json: chat_template: line 2: 'nothing' is undefined"},
               [] { render("a\n{{ nothing.at_all }}"); });
  expect_error(Errc::malformed, {"'dict' object has no attribute 'name'"},
               [] { render("{{ messages[0].name + '' }}"); });
  expect_error(Errc::malformed, {"unsupported operand types for +: 'str' and 'int'"}, [] { render("{{ 'a' + 1 }}"); });
  expect_error(Errc::malformed, {"the method 'append' would change a list"},
               [] { render("{{ messages.append(1) }}"); });
  expect_error(Errc::malformed, {"has no attribute '__class__'"}, [] { render("{{ ''.__class__.x }}"); });
  expect_error(Errc::malformed, {"a str cannot be called"}, [] { render("{{ 'a'() }}"); });
  expect_error(Errc::unsupported, {"an iterator is printed"}, [] { render("{{ messages|map('length') }}"); });
  expect_error(Errc::unsupported, {"the filter 'urlize'"}, [] { render("{{ messages|map('urlize')|list }}"); });
  expect_error(Errc::unsupported, {"the test 'weird'"}, [] { render("{{ messages|select('weird')|list }}"); });
  expect_error(Errc::unsupported, {"strftime_now: %Q"}, [] { render("{{ strftime_now('%Q') }}"); });
}

TEST_CASE("a template that refuses a conversation says so in its own words", "[text][template]") {
  expect_error(Errc::usage, {"line 1", "the chat template says: no user here"},
               [] { render("{{ raise_exception('no ' ~ messages[0].role ~ ' here') }}"); });
}

TEST_CASE("messages may hold any bytes, and are never read as a template", "[text][template]") {
  CHECK(render("{{ messages[0].content }}", {{"user", "a\xFF{{ b }}{% if"}}) == "a\xEF\xBF\xBD{{ b }}{% if");
  CHECK(render("{{ messages[0].content|length }}", {{"user", "\xF0\x9F\x98\x80"}}) == "1");
  CHECK(render("\xFF{{ 1 }}") ==
        "\xEF\xBF\xBD"
        "1");
}

TEST_CASE("a template is rendered by several threads at once", "[text][template]") {
  const ChatTemplate chat("{% for m in messages %}{{ m.content|upper }}{% endfor %}", "t");
  std::vector<std::string> found(4);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < found.size(); ++i) {
    threads.emplace_back([&, i] {
      found[i] = chat.render({{{"user", std::string(1, static_cast<char>('a' + i))}}, true, {}, {}});
    });
  }
  for (std::thread& one : threads) one.join();
  CHECK(found == std::vector<std::string>{"A", "B", "C", "D"});
}

}  // namespace
}  // namespace lathe
