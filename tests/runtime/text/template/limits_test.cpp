// What a template may not ask for.

#include <catch2/catch.hpp>
#include <string>
#include <utility>

#include "runtime/text/template/chat_template.h"
#include "tests/formats/expect_error.h"

namespace lathe {
namespace {

using jinja::ChatTemplate;
using test::expect_error;

std::string render(const std::string& source, const jinja::Limits& limits = {}) {
  ChatTemplate::Conversation conversation;
  conversation.messages = {{"user", "hi"}};
  return ChatTemplate(source, "t").render(conversation, limits);
}

std::string repeated(const std::string& text, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += text;
  return out;
}

TEST_CASE("a template that would not end is stopped", "[text][template]") {
  const char* const endless[] = {
      "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
      "{% set ns = namespace(x='ab') %}{% for a in range(64) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
      "{% set ns = namespace(x=[1, 2]) %}{% for a in range(64) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
      "{% set ns = namespace(x=[1]) %}{% for a in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
      "{% set ns = namespace(x=[1]) %}{% for a in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}"
      "{{ ns.x|tojson }}",
      "{% set ns = namespace(x=[1], y=[1]) %}{% for a in range(60) %}{% set ns.x = [ns.x, ns.x] %}"
      "{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
      "{% set ns = namespace(x=[1]) %}{% for a in range(80) %}{% set ns.x = [ns.x] %}{% endfor %}",
      "{% set ns = namespace() %}{% set ns.x = {} %}{% for a in range(80) %}{% set ns.x = {'a': ns.x} %}{% endfor %}",
      "{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}",
      "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
      "{{ 'a' * 99999999 }}",
      "{{ 'a' * 9223372036854775807 }}",
      "{{ [1] * 99999999 }}",
      "{{ ('a' * 9999999)|replace('a', 'bb') }}",
      "{{ ('a' * 9999999)|replace('', 'bb') }}",
      "{{ ('a' * 4999999 ~ 'b') in ('a' * 9999999) }}",
      "{{ ('a' * 9999999).split('a')|length }}",
      "{{ (['a' * 999999] * 99)|join }}",
      "{{ 'x'|center(99999999) }}",
      "{{ 'a\nb'|indent(99999999) }}",
      "{{ [[[[1]]]]|tojson(indent=99999999) }}",
      "{{ range(100001) }}",
      "{{ range(0, 9223372036854775807, 1) }}",
      "{{ 9223372036854775807 + 1 }}",
      "{{ 2 ** 64 }}",
      "{{ 99999999999999999999 }}",
  };
  for (const char* source : endless) {
    INFO(source);
    expect_error(Errc::limit, {"t: line "}, [&] { render(source); });
  }
}

TEST_CASE("limits are named with their bounds", "[text][template]") {
  expect_error(Errc::limit, {"t: line 1", "more than 1000 steps"},
               [] { render("{% for a in range(2000) %}{% endfor %}", {.steps = 1000}); });
  expect_error(Errc::limit, {"t: line 1", "2 times a text of 5 bytes, the limit is 8"},
               [] { render("{{ 'abcde' * 2 }}", {.text_bytes = 8}); });
  expect_error(Errc::limit, {"t: line 2", "the limit is 8"}, [] { render("abcde\n{{ 'abcde' }}", {.text_bytes = 8}); });
  expect_error(Errc::limit, {"nested more than 10 deep"},
               [] { render("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", {.call_depth = 10}); });
  expect_error(Errc::limit, {"values nested 65 deep, the limit is 64"}, [] {
    render("{% set ns = namespace(x=1) %}{% for a in range(65) %}{% set ns.x = [ns.x] %}{% endfor %}");
  });
  CHECK_NOTHROW(render("{% set ns = namespace(x=1) %}{% for a in range(64) %}{% set ns.x = [ns.x] %}{% endfor %}"));
}

TEST_CASE("a template that is too long or nested too deeply is not read", "[text][template]") {
  const auto read = [](const std::string& source) { return [source] { ChatTemplate(source, "t"); }; };
  expect_error(Errc::limit, {"t: a template of 1048577 bytes, the limit is 1048576"},
               read(std::string((1 << 20) + 1, 'x')));
  CHECK_NOTHROW(read(std::string(1 << 20, 'x'))());
  const size_t many = 50000;
  constexpr std::pair<const char*, const char*> kPairs[] = {
      {"(", ")"}, {"[", "]"}, {"{1:", "}"}, {"not ", ""}, {"-", ""}, {"a[", "]"}, {"a(", ")"}, {"1 if 1 else ", ""}};
  for (const auto& [open, close] : kPairs) {
    INFO(open);
    expect_error(Errc::limit, {"t: line 1", "nested more than 200 deep"},
                 read("{{ " + repeated(open, many) + "1" + repeated(close, many) + " }}"));
  }
  for (const char* more : {".a", "[0]", "()", "|trim", " + 1", " and 1", " or 1", " ** 2"}) {
    INFO(more);
    expect_error(Errc::limit, {"t: line 1", "nested more than 200 deep"}, read("{{ a" + repeated(more, many) + " }}"));
  }
  expect_error(Errc::limit, {"tags are nested more than 50 deep"}, read(repeated("{% if 1 %}", many)));
  expect_error(Errc::limit, {"tags are nested more than 50 deep"}, read(repeated("{% for a in b %}", many)));
  CHECK(render("{{ " + repeated("(", 90) + "1" + repeated(")", 90) + " }}") == "1");
  CHECK(render("{{ 0" + repeated(" + 1", 150) + " }}") == "150");
  CHECK(render("{{ 'a'" + repeated(" ~ 'b'", 3000) + " }}").size() == 3001);
  CHECK(render("{% if 0 %}" + repeated("{% elif 0 %}", 3000) + "{% else %}x{% endif %}") == "x");
}

}  // namespace
}  // namespace lathe
