#pragma once
// Reads expressions by descent, one function for each level of precedence. For syntax/ alone.

#include <cstdint>
#include <string>
#include <string_view>

#include "runtime/text/template/limits.h"
#include "runtime/text/template/syntax/syntax.h"
#include "runtime/text/template/syntax/token_stream.h"

namespace lathe::jinja {

class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  ExpressionPointer expression(bool with_condition);
  ExpressionPointer tuple(bool with_condition);
  /// The stream stands before the filter's name.
  ExpressionPointer filter(ExpressionPointer value);

 private:
  /// Counts expressions that are being read inside each other, each of which may take two levels of the tree.
  class Level {
   public:
    explicit Level(ExpressionParser& parser) : parser_(parser) {
      if (parser.level_ >= kMaxSyntaxDepth / 2) parser.fail_depth();
      ++parser.level_;
    }
    ~Level() { --parser_.level_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    ExpressionParser& parser_;
  };

  [[noreturn]] void fail_depth() const;
  ExpressionPointer make(ExpressionKind kind, uint32_t line) const;
  void deepen(Expression& parent, const Expression& part) const;
  void add(Expression& parent, ExpressionPointer part) const;
  ExpressionPointer pair_of(ExpressionKind kind, ExpressionPointer left, ExpressionPointer right) const;
  ExpressionPointer binary(ExpressionPointer left, const OperatorRow* row, ExpressionPointer right) const;

  // From the loosest to the tightest.
  ExpressionPointer conditional();
  ExpressionPointer disjunction();
  ExpressionPointer conjunction();
  ExpressionPointer negation();
  ExpressionPointer comparison();
  ExpressionPointer sum();
  ExpressionPointer concat();
  ExpressionPointer product();
  ExpressionPointer power();
  ExpressionPointer unary(bool with_filters);
  bool ends_tuple() const;
  bool take_comparison(Comparison& out);
  const OperatorRow* take_operator(const OperatorRow* (*find)(std::string_view));

  ExpressionPointer filters_and_tests(ExpressionPointer value);
  ExpressionPointer test(ExpressionPointer value);
  std::string dotted_name(const Token& first);
  bool begins_argument() const;
  /// Throws where the routine does not take the arguments.
  void check_arguments(const Expression& out) const;
  ExpressionPointer postfix(ExpressionPointer value);
  ExpressionPointer attribute(ExpressionPointer value);
  ExpressionPointer subscript(ExpressionPointer value);
  ExpressionPointer call(ExpressionPointer function);
  /// What follows an opening parenthesis, up to its closing one.
  void arguments(Expression& out);

  ExpressionPointer primary();
  ExpressionPointer none(uint32_t line) const;
  ExpressionPointer number(const Token& token) const;
  ExpressionPointer name(const Token& token) const;
  ExpressionPointer parenthesized(uint32_t line);
  ExpressionPointer list(uint32_t line);
  ExpressionPointer dict(uint32_t line);

  TokenStream& tokens_;
  uint32_t level_ = 0;
};

}  // namespace lathe::jinja
