// What operators stand between: names, literals, calls, filters and tests.

#include <charconv>

#include "runtime/text/template/syntax/expression_parser.h"

namespace lathe::jinja {

ExpressionPointer ExpressionParser::filter(ExpressionPointer value) {
  const Token name = tokens_.take();
  ExpressionPointer out = make(ExpressionKind::filter, name.line);
  out->name = dotted_name(name);
  out->routine = find_filter(out->name);
  if (out->routine == nullptr) tokens_.refuse(name.line, message("the filter '", out->name, "'"));
  add(*out, std::move(value));
  if (tokens_.skip_sign("(")) arguments(*out);
  check_arguments(*out);
  return out;
}

ExpressionPointer ExpressionParser::postfix(ExpressionPointer value) {
  for (;;) {
    if (tokens_.at_sign(".")) {
      value = attribute(std::move(value));
    } else if (tokens_.at_sign("[")) {
      value = subscript(std::move(value));
    } else if (tokens_.at_sign("(")) {
      value = call(std::move(value));
    } else {
      return value;
    }
  }
}

ExpressionPointer ExpressionParser::filters_and_tests(ExpressionPointer value) {
  for (;;) {
    if (tokens_.skip_sign("|")) {
      value = filter(std::move(value));
    } else if (tokens_.skip_name("is")) {
      value = test(std::move(value));
    } else if (tokens_.at_sign("(")) {
      value = call(std::move(value));
    } else {
      return value;
    }
  }
}

ExpressionPointer ExpressionParser::attribute(ExpressionPointer value) {
  tokens_.take();
  const Token token = tokens_.take();
  if (token.kind == TokenKind::integer) {
    return pair_of(ExpressionKind::item, std::move(value), number(token));
  }
  if (token.kind != TokenKind::name) tokens_.fail_here("expected a name or a number after '.'");
  ExpressionPointer out = make(ExpressionKind::attribute, token.line);
  out->name = token.text;
  add(*out, std::move(value));
  return out;
}

ExpressionPointer ExpressionParser::none(uint32_t line) const {
  ExpressionPointer out = make(ExpressionKind::constant, line);
  out->constant = None{};
  return out;
}

ExpressionPointer ExpressionParser::subscript(ExpressionPointer value) {
  const uint32_t line = tokens_.take().line;
  if (tokens_.at_sign("]")) tokens_.fail_here("an empty subscript");
  const auto bound = [&] { return tokens_.at_sign(":") || tokens_.at_sign("]") ? none(line) : expression(true); };
  ExpressionPointer first = bound();
  if (!tokens_.at_sign(":")) {
    if (tokens_.at_sign(",")) tokens_.refuse(line, "a subscript of several values");
    tokens_.expect_sign("]");
    return pair_of(ExpressionKind::item, std::move(value), std::move(first));
  }
  ExpressionPointer out = make(ExpressionKind::slice, line);
  add(*out, std::move(value));
  add(*out, std::move(first));
  tokens_.take();
  add(*out, bound());
  add(*out, tokens_.skip_sign(":") ? bound() : none(line));
  tokens_.expect_sign("]");
  return out;
}

ExpressionPointer ExpressionParser::call(ExpressionPointer function) {
  ExpressionPointer out = make(ExpressionKind::call, tokens_.take().line);
  add(*out, std::move(function));
  arguments(*out);
  return out;
}

void ExpressionParser::arguments(Expression& out) {
  while (!tokens_.skip_sign(")")) {
    if (tokens_.at_sign("*") || tokens_.at_sign("**")) {
      tokens_.refuse(tokens_.current().line, message("an argument with ", tokens_.current().text));
    }
    if (tokens_.current().kind == TokenKind::name && tokens_.next().is_sign("=")) {
      std::string name = tokens_.take().text;
      tokens_.take();
      ExpressionPointer value = expression(true);
      deepen(out, *value);
      out.named.emplace_back(std::move(name), std::move(value));
    } else {
      if (!out.named.empty()) tokens_.fail_here("an argument without a name follows one with a name");
      add(out, expression(true));
    }
    if (!tokens_.at_sign(")")) tokens_.expect_sign(",");
  }
}

std::string ExpressionParser::dotted_name(const Token& first) {
  if (first.kind != TokenKind::name) tokens_.fail_here(message("expected a name, found '", first.text, "'"));
  std::string name = first.text;
  while (tokens_.skip_sign(".")) name += "." + tokens_.take_name("a name");
  return name;
}

ExpressionPointer ExpressionParser::test(ExpressionPointer value) {
  const bool negated_test = tokens_.skip_name("not");
  const Token name = tokens_.take();
  ExpressionPointer out = make(ExpressionKind::test, name.line);
  out->name = dotted_name(name);
  out->routine = find_test(out->name);
  if (out->routine == nullptr) tokens_.refuse(name.line, message("the test '", out->name, "'"));
  add(*out, std::move(value));
  if (tokens_.skip_sign("(")) {
    arguments(*out);
  } else if (begins_argument()) {
    if (tokens_.at_name("is")) tokens_.fail_here("tests cannot be chained with 'is'");
    add(*out, postfix(primary()));
  }
  check_arguments(*out);
  if (!negated_test) return out;
  ExpressionPointer negation = make(ExpressionKind::negation, name.line);
  add(*negation, std::move(out));
  return negation;
}

void ExpressionParser::check_arguments(const Expression& out) const {
  std::vector<std::string_view> names;
  for (const auto& [name, value] : out.named) names.push_back(name);
  const std::string fault = argument_fault(*out.routine, out.parts.size() - 1, names);
  if (fault.empty()) return;
  // An argument that Jinja may know and this does not.
  fail_at(Errc::unsupported, tokens_.name(), out.line, message("'", out.name, "' ", fault));
}

bool ExpressionParser::begins_argument() const {
  const Token& token = tokens_.current();
  if (token.is_name("else") || token.is_name("or") || token.is_name("and")) return false;
  return token.kind == TokenKind::name || token.kind == TokenKind::string || token.kind == TokenKind::integer ||
         token.kind == TokenKind::real || token.is_sign("[") || token.is_sign("{");
}

ExpressionPointer ExpressionParser::number(const Token& token) const {
  ExpressionPointer out = make(ExpressionKind::constant, token.line);
  if (token.kind == TokenKind::real) {
    double real = 0;
    std::from_chars(token.text.data(), token.text.data() + token.text.size(), real);
    out->constant = real;
    return out;
  }
  int64_t integer = 0;
  const auto result = std::from_chars(token.text.data(), token.text.data() + token.text.size(), integer);
  if (result.ec != std::errc()) {
    fail_at(Errc::limit, tokens_.name(), token.line, message("the number ", token.text, " does not fit 64 bits"));
  }
  out->constant = integer;
  return out;
}

ExpressionPointer ExpressionParser::primary() {
  const Token token = tokens_.take();
  if (token.kind == TokenKind::name) return name(token);
  if (token.kind == TokenKind::integer || token.kind == TokenKind::real) return number(token);
  if (token.kind == TokenKind::string) {
    ExpressionPointer out = make(ExpressionKind::constant, token.line);
    std::string text = token.text;
    while (tokens_.current().kind == TokenKind::string) text += tokens_.take().text;
    out->constant = make_text(std::move(text));
    return out;
  }
  if (token.is_sign("(")) return parenthesized(token.line);
  if (token.is_sign("[")) return list(token.line);
  if (token.is_sign("{")) return dict(token.line);
  const std::string found = token.kind == TokenKind::end ? "the end of the template" : message("'", token.text, "'");
  fail_at(Errc::malformed, tokens_.name(), token.line, message("expected an expression, found ", found));
}

ExpressionPointer ExpressionParser::name(const Token& token) const {
  ExpressionPointer out = make(ExpressionKind::constant, token.line);
  if (token.text == "true" || token.text == "True") {
    out->constant = true;
  } else if (token.text == "false" || token.text == "False") {
    out->constant = false;
  } else if (token.text == "none" || token.text == "None") {
    out->constant = None{};
  } else {
    if (is_refused_name(token.text)) tokens_.refuse(token.line, message("the function '", token.text, "'"));
    out->kind = ExpressionKind::name;
    out->name = token.text;
  }
  return out;
}

ExpressionPointer ExpressionParser::parenthesized(uint32_t line) {
  if (tokens_.skip_sign(")")) return make(ExpressionKind::tuple, line);
  ExpressionPointer out = tuple(true);
  tokens_.expect_sign(")");
  return out;
}

ExpressionPointer ExpressionParser::list(uint32_t line) {
  ExpressionPointer out = make(ExpressionKind::list, line);
  while (!tokens_.skip_sign("]")) {
    add(*out, expression(true));
    if (!tokens_.at_sign("]")) tokens_.expect_sign(",");
  }
  return out;
}

ExpressionPointer ExpressionParser::dict(uint32_t line) {
  ExpressionPointer out = make(ExpressionKind::dict, line);
  while (!tokens_.skip_sign("}")) {
    add(*out, expression(true));
    tokens_.expect_sign(":");
    add(*out, expression(true));
    if (!tokens_.at_sign("}")) tokens_.expect_sign(",");
  }
  return out;
}

}  // namespace lathe::jinja
