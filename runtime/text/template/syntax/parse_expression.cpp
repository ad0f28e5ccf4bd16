#include <algorithm>

#include "runtime/text/template/limits.h"
#include "runtime/text/template/syntax/expression_parser.h"
#include "runtime/text/template/syntax/parser.h"

namespace lathe::jinja {

ExpressionPointer ExpressionParser::expression(bool with_condition) {
  const Level level(*this);
  return with_condition ? conditional() : disjunction();
}

ExpressionPointer ExpressionParser::tuple(bool with_condition) {
  const uint32_t line = tokens_.current().line;
  ExpressionPointer first = expression(with_condition);
  if (!tokens_.at_sign(",")) return first;
  ExpressionPointer out = make(ExpressionKind::tuple, line);
  add(*out, std::move(first));
  while (tokens_.skip_sign(",") && !ends_tuple()) add(*out, expression(with_condition));
  return out;
}

void ExpressionParser::fail_depth() const {
  fail_at(Errc::limit, tokens_.name(), tokens_.current().line,
          message("expressions are nested more than ", kMaxSyntaxDepth, " deep"));
}

ExpressionPointer ExpressionParser::make(ExpressionKind kind, uint32_t line) const {
  auto out = std::make_unique<Expression>();
  out->kind = kind;
  out->line = line;
  return out;
}

void ExpressionParser::deepen(Expression& parent, const Expression& part) const {
  parent.depth = std::max(parent.depth, part.depth + 1);
  if (parent.depth > kMaxSyntaxDepth) fail_depth();
}

void ExpressionParser::add(Expression& parent, ExpressionPointer part) const {
  deepen(parent, *part);
  parent.parts.push_back(std::move(part));
}

ExpressionPointer ExpressionParser::pair_of(ExpressionKind kind, ExpressionPointer left,
                                            ExpressionPointer right) const {
  ExpressionPointer out = make(kind, left->line);
  add(*out, std::move(left));
  add(*out, std::move(right));
  return out;
}

bool ExpressionParser::ends_tuple() const {
  const Token& token = tokens_.current();
  return token.kind == TokenKind::end_block || token.kind == TokenKind::end_output || token.is_sign(")") ||
         token.is_name("in");
}

ExpressionPointer ExpressionParser::conditional() {
  ExpressionPointer value = disjunction();
  while (tokens_.at_name("if")) {
    ExpressionPointer out = make(ExpressionKind::conditional, tokens_.take().line);
    add(*out, disjunction());
    add(*out, std::move(value));
    if (tokens_.skip_name("else")) add(*out, expression(true));
    value = std::move(out);
  }
  return value;
}

ExpressionPointer ExpressionParser::disjunction() {
  ExpressionPointer left = conjunction();
  while (tokens_.skip_name("or")) left = pair_of(ExpressionKind::disjunction, std::move(left), conjunction());
  return left;
}

ExpressionPointer ExpressionParser::conjunction() {
  ExpressionPointer left = negation();
  while (tokens_.skip_name("and")) left = pair_of(ExpressionKind::conjunction, std::move(left), negation());
  return left;
}

ExpressionPointer ExpressionParser::negation() {
  if (!tokens_.at_name("not")) return comparison();
  const Level level(*this);
  ExpressionPointer out = make(ExpressionKind::negation, tokens_.take().line);
  add(*out, negation());
  return out;
}

ExpressionPointer ExpressionParser::comparison() {
  ExpressionPointer left = sum();
  ExpressionPointer out;
  for (Comparison one; take_comparison(one);) {
    if (out == nullptr) {
      out = make(ExpressionKind::comparison, left->line);
      add(*out, std::move(left));
    }
    out->comparisons.push_back(one);
    add(*out, sum());
  }
  return out == nullptr ? std::move(left) : std::move(out);
}

bool ExpressionParser::take_comparison(Comparison& out) {
  out.negated = tokens_.at_name("not") && tokens_.next().is_name("in");
  if (out.negated) tokens_.take();
  const Token& token = tokens_.current();
  out.operation = token.kind == TokenKind::sign || token.is_name("in") ? find_comparison(token.text) : nullptr;
  if (out.operation != nullptr) tokens_.take();
  return out.operation != nullptr;
}

const OperatorRow* ExpressionParser::take_operator(const OperatorRow* (*find)(std::string_view)) {
  const Token& token = tokens_.current();
  const OperatorRow* row = token.kind == TokenKind::sign ? find(token.text) : nullptr;
  if (row != nullptr) tokens_.take();
  return row;
}

ExpressionPointer ExpressionParser::binary(ExpressionPointer left, const OperatorRow* row,
                                           ExpressionPointer right) const {
  ExpressionPointer out = pair_of(ExpressionKind::binary, std::move(left), std::move(right));
  out->operation = row;
  return out;
}

ExpressionPointer ExpressionParser::sum() {
  ExpressionPointer left = concat();
  while (const OperatorRow* row = take_operator(find_sum)) left = binary(std::move(left), row, concat());
  return left;
}

ExpressionPointer ExpressionParser::concat() {
  ExpressionPointer left = product();
  if (!tokens_.at_sign("~")) return left;
  ExpressionPointer out = make(ExpressionKind::concat, left->line);
  add(*out, std::move(left));
  while (tokens_.skip_sign("~")) add(*out, product());
  return out;
}

ExpressionPointer ExpressionParser::product() {
  ExpressionPointer left = power();
  while (const OperatorRow* row = take_operator(find_product)) left = binary(std::move(left), row, power());
  return left;
}

ExpressionPointer ExpressionParser::power() {
  ExpressionPointer left = unary(true);
  while (const OperatorRow* row = take_operator(find_power)) left = binary(std::move(left), row, unary(true));
  return left;
}

ExpressionPointer ExpressionParser::unary(bool with_filters) {
  ExpressionPointer out;
  if (tokens_.at_sign("-") || tokens_.at_sign("+")) {
    const Level level(*this);
    const Token sign = tokens_.take();
    out = make(ExpressionKind::unary, sign.line);
    out->unary = sign.text == "-" ? negated : unchanged;
    add(*out, unary(false));
  } else {
    out = primary();
  }
  out = postfix(std::move(out));
  return with_filters ? filters_and_tests(std::move(out)) : std::move(out);
}

ExpressionPointer parse_expression(TokenStream& tokens, bool with_condition) {
  return ExpressionParser(tokens).expression(with_condition);
}

ExpressionPointer parse_tuple(TokenStream& tokens, bool with_condition) {
  return ExpressionParser(tokens).tuple(with_condition);
}

ExpressionPointer parse_filters(TokenStream& tokens, ExpressionPointer value) {
  ExpressionParser parser(tokens);
  do {
    value = parser.filter(std::move(value));
  } while (tokens.skip_sign("|"));
  return value;
}

}  // namespace lathe::jinja
