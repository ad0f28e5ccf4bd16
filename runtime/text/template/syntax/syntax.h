#pragma once
// A template as a tree of statements and expressions. Immutable once it is parsed.

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/text/template/library/library.h"
#include "runtime/text/template/values/operators.h"
#include "runtime/text/template/values/value.h"

namespace lathe::jinja {

enum class ExpressionKind : uint8_t {
  constant,     // constant
  name,         // name
  list,         // parts
  tuple,        // parts
  dict,         // parts: key, value, key, value, ...
  attribute,    // parts[0].name
  item,         // parts[0][parts[1]]
  slice,        // parts[0][parts[1]:parts[2]:parts[3]]
  call,         // parts[0](parts[1], ..., named)
  filter,       // parts[0] | routine(parts[1], ..., named)
  test,         // parts[0] is routine(parts[1], ...)
  unary,        // unary(parts[0])
  binary,       // operation(parts[0], parts[1])
  negation,     // not parts[0]
  conjunction,  // parts[0] and parts[1]
  disjunction,  // parts[0] or parts[1]
  concat,       // parts[0] ~ parts[1] ~ ...
  comparison,   // parts[0] comparisons[0] parts[1] comparisons[1] ...
  conditional,  // parts[1] if parts[0] else parts[2]
};

struct Comparison {
  const OperatorRow* operation = nullptr;
  bool negated = false;  // not in
};

struct Expression {
  ExpressionKind kind = ExpressionKind::constant;
  uint32_t line = 0;
  uint32_t depth = 1;  // one more than the deepest part
  std::vector<std::unique_ptr<Expression>> parts;
  Value constant;
  std::string name;
  std::vector<std::pair<std::string, std::unique_ptr<Expression>>> named;
  const Routine* routine = nullptr;
  const OperatorRow* operation = nullptr;
  Value (*unary)(Context&, const Value&) = nullptr;
  std::vector<Comparison> comparisons;
};
using ExpressionPointer = std::unique_ptr<Expression>;

enum class StatementKind : uint8_t {
  text,        // text
  output,      // value
  choice,      // branches
  loop,        // for targets in value if condition: branches[0].body, else branches[1].body
  assignment,  // targets = value; or of a namespace, targets[0].text = value
  capture,     // targets[0] = what the body writes, through filters
  macro,       // macro
  call,        // value, a call with macro as its caller
  filtered,    // what the body writes, through filters
  scope,       // targets[i] = values[i] inside the body
  break_loop,
  continue_loop,
};

struct Statement;
using Block = std::vector<Statement>;

struct Branch {
  ExpressionPointer condition;  // null: always
  Block body;
};

struct Macro {
  std::string name;
  std::vector<std::string> parameters;
  std::vector<ExpressionPointer> defaults;  // of the last parameters
  bool uses_varargs = false, uses_kwargs = false, uses_caller = false;
  Block body;
};

struct Statement {
  StatementKind kind = StatementKind::text;
  uint32_t line = 0;
  std::string text;
  std::vector<std::string> targets;
  bool of_namespace = false;
  bool recursive = false;
  ExpressionPointer value, condition;
  std::vector<ExpressionPointer> values;
  std::vector<Branch> branches;
  std::shared_ptr<const Macro> macro;
};

}  // namespace lathe::jinja
