#pragma once
// Runs the statements of a template. For runtime/text/template/ alone.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/text/template/context.h"
#include "runtime/text/template/library/library.h"
#include "runtime/text/template/syntax/syntax.h"

namespace lathe::jinja {

/// Names and their values, inside the names around them. Owned by the interpreter, as macros may be called after the
/// block that made them has ended.
struct Scope {
  Scope* around = nullptr;
  std::vector<std::pair<std::string, Value>> names;
};

class Interpreter {
 public:
  /// `context` outlives this. `globals` are the variables that the template is given.
  Interpreter(Context& context, std::vector<std::pair<std::string, Value>> globals);

  /// What the statements write.
  std::string run(const Block& block);

 private:
  enum class Flow : uint8_t { on, broken, continued };

  // Statements; each may end the round of a loop or the loop.
  Flow execute(const Block& block);
  Flow write_text(const Statement& statement);
  Flow write_output(const Statement& statement);
  Flow choose(const Statement& statement);
  Flow loop(const Statement& statement);
  Flow assign(const Statement& statement);
  Flow capture(const Statement& statement);
  Flow define_macro(const Statement& statement);
  Flow call_with_body(const Statement& statement);
  Flow write_filtered(const Statement& statement);
  Flow run_in_scope(const Statement& statement);
  Flow break_loop(const Statement& statement);
  Flow continue_loop(const Statement& statement);
  Values filtered_items(const Statement& statement);
  void unpack(const std::vector<std::string>& targets, const Value& value);
  void set(const std::string& name, Value value);
  void append(std::string_view text);
  /// What a body writes, in a scope of its own.
  std::string captured(const Block& body);

  // Expressions.
  Value evaluate(const Expression& expression);
  Value constant(const Expression& expression);
  Value look_up(const Expression& expression);
  Value value_of(const std::string& wanted);
  Value make_list(const Expression& expression);
  Value make_tuple(const Expression& expression);
  Value make_dict(const Expression& expression);
  Value attribute(const Expression& expression);
  Value item(const Expression& expression);
  Value slice(const Expression& expression);
  Value call(const Expression& expression);
  Value apply_routine(const Expression& expression);
  Value apply_unary(const Expression& expression);
  Value apply_binary(const Expression& expression);
  Value negate(const Expression& expression);
  Value conjunction(const Expression& expression);
  Value disjunction(const Expression& expression);
  Value concat(const Expression& expression);
  Value comparison(const Expression& expression);
  Value conditional(const Expression& expression);

  Arguments arguments_of(const Expression& expression);
  Value call_value(const Expression& expression, Arguments arguments);
  Value call_macro(const Macro& macro, Scope* around, Arguments arguments);
  void bind_parameters(const Macro& macro, Arguments& arguments);
  Scope* open_scope(Scope* around);

  using Evaluate = Value (Interpreter::*)(const Expression&);
  using Execute = Flow (Interpreter::*)(const Statement&);
  static const Evaluate kEvaluators[];
  static const Execute kExecutors[];

  Context& context_;
  std::vector<std::unique_ptr<Scope>> scopes_;
  Scope* scope_ = nullptr;
  Value captured_;  // what the filters of a body are applied to
  std::string out_;
  uint32_t nesting_ = 0;
};

}  // namespace lathe::jinja
