#include <algorithm>

#include "runtime/text/template/interpreter.h"
#include "runtime/text/template/values/operators.h"
#include "runtime/text/template/values/text_of.h"

namespace lathe::jinja {

// In the order of ExpressionKind.
const Interpreter::Evaluate Interpreter::kEvaluators[] = {
    &Interpreter::constant,     &Interpreter::look_up,       &Interpreter::make_list,     &Interpreter::make_tuple,
    &Interpreter::make_dict,    &Interpreter::attribute,     &Interpreter::item,          &Interpreter::slice,
    &Interpreter::call,         &Interpreter::apply_routine, &Interpreter::apply_routine, &Interpreter::apply_unary,
    &Interpreter::apply_binary, &Interpreter::negate,        &Interpreter::conjunction,   &Interpreter::disjunction,
    &Interpreter::concat,       &Interpreter::comparison,    &Interpreter::conditional,
};

Value Interpreter::evaluate(const Expression& expression) {
  const Nesting nesting(context_, nesting_);
  context_.at_line(expression.line);
  context_.charge(1);
  return (this->*kEvaluators[static_cast<size_t>(expression.kind)])(expression);
}

Value Interpreter::constant(const Expression& expression) { return expression.constant; }

Value Interpreter::look_up(const Expression& expression) {
  return expression.name.empty() ? captured_ : value_of(expression.name);  // before the filters of a body
}

Value Interpreter::value_of(const std::string& wanted) {
  for (const Scope* scope = scope_; scope != nullptr; scope = scope->around) {
    context_.charge(1);
    for (const auto& [name, value] : scope->names) {
      if (name == wanted) return value;
    }
  }
  if (const Routine* function = find_function(wanted)) {
    return std::shared_ptr<const Callable>(std::make_shared<Callable>(Callable{function, {}}));
  }
  return make_undefined(message("'", wanted, "' is undefined"));
}

Value Interpreter::make_list(const Expression& expression) {
  Values items;
  for (const ExpressionPointer& part : expression.parts) items.push_back(evaluate(*part));
  return context_.list(std::move(items));
}

Value Interpreter::make_tuple(const Expression& expression) {
  Values items;
  for (const ExpressionPointer& part : expression.parts) items.push_back(evaluate(*part));
  return context_.sequence(SequenceKind::tuple, std::move(items));
}

Value Interpreter::make_dict(const Expression& expression) {
  std::vector<Entry> entries;
  for (size_t i = 0; i + 1 < expression.parts.size(); i += 2) {
    Value key = evaluate(*expression.parts[i]);
    entries.push_back({std::move(key), evaluate(*expression.parts[i + 1])});
  }
  return context_.dict(std::move(entries));
}

Value Interpreter::attribute(const Expression& expression) {
  return attribute_of(context_, evaluate(*expression.parts[0]), expression.name);
}

Value Interpreter::item(const Expression& expression) {
  const Value object = evaluate(*expression.parts[0]);
  const Value key = evaluate(*expression.parts[1]);
  Value found = item_of(context_, object, key);
  const bool may_be_attribute = found.is_undefined() && key.text() != nullptr && object.dict() == nullptr;
  if (may_be_attribute ||
      (found.is_undefined() && key.text() != nullptr && find_method(object, *key.text()) != nullptr)) {
    return attribute_of(context_, object, *key.text());
  }
  return found;
}

Value Interpreter::slice(const Expression& expression) {
  const Value object = evaluate(*expression.parts[0]);
  const Value start = evaluate(*expression.parts[1]);
  const Value stop = evaluate(*expression.parts[2]);
  return slice_of(context_, object, start, stop, evaluate(*expression.parts[3]));
}

Arguments Interpreter::arguments_of(const Expression& expression) {
  Arguments out;
  for (size_t i = 1; i < expression.parts.size(); ++i) out.positional.push_back(evaluate(*expression.parts[i]));
  for (const auto& [name, value] : expression.named) out.named.emplace_back(name, evaluate(*value));
  return out;
}

Value Interpreter::call(const Expression& expression) { return call_value(expression, arguments_of(expression)); }

Value Interpreter::call_value(const Expression& expression, Arguments arguments) {
  const Value function = evaluate(*expression.parts[0]);
  context_.at_line(expression.line);
  if (const Undefined* none = function.get<Undefined>()) context_.error(undefined_message(*none));
  const auto* callable = function.get<std::shared_ptr<const Callable>>();
  if (callable == nullptr) context_.error("a ", type_name(function), " cannot be called");
  if ((*callable)->macro != nullptr) return call_macro(*(*callable)->macro, (*callable)->scope, std::move(arguments));
  return call_routine(context_, *(*callable)->routine, (*callable)->subject, std::move(arguments));
}

Value Interpreter::call_macro(const Macro& macro, Scope* around, Arguments arguments) {
  Scope* before = scope_;
  scope_ = open_scope(around);
  std::string written = std::exchange(out_, {});
  bind_parameters(macro, arguments);
  execute(macro.body);
  scope_ = before;
  return context_.text(std::exchange(out_, std::move(written)));
}

void Interpreter::bind_parameters(const Macro& macro, Arguments& arguments) {
  const auto take_named = [&](const std::string& name, Value& out) {
    const auto found = std::find_if(arguments.named.begin(), arguments.named.end(),
                                    [&](const auto& one) { return one.first == name; });
    if (found == arguments.named.end()) return false;
    out = std::move(found->second);
    arguments.named.erase(found);
    return true;
  };
  Value caller;
  if (take_named("caller", caller)) {
    if (!macro.uses_caller) context_.error("the macro '", macro.name, "' does not use its caller");
    set("caller", caller);
  }
  if (arguments.positional.size() > macro.parameters.size() && !macro.uses_varargs) {
    context_.error("the macro '", macro.name, "' takes ", macro.parameters.size(), " arguments at most, not ",
                   arguments.positional.size());
  }
  const size_t without_default = macro.parameters.size() - macro.defaults.size();
  for (size_t i = 0; i < macro.parameters.size(); ++i) {
    Value value;
    const bool is_named = take_named(macro.parameters[i], value);
    if (i < arguments.positional.size()) {
      if (is_named) context_.error("the macro '", macro.name, "' has the argument '", macro.parameters[i], "' twice");
      value = std::move(arguments.positional[i]);
    } else if (!is_named) {
      value = i < without_default ? make_undefined(message("the parameter '", macro.parameters[i], "' was not given"))
                                  : evaluate(*macro.defaults[i - without_default]);
    }
    set(macro.parameters[i], std::move(value));
  }
  if (macro.uses_varargs) {
    const size_t taken = std::min(arguments.positional.size(), macro.parameters.size());
    arguments.positional.erase(arguments.positional.begin(),
                               arguments.positional.begin() + static_cast<ptrdiff_t>(taken));
    set("varargs", context_.sequence(SequenceKind::tuple, std::move(arguments.positional)));
  }
  if (macro.uses_kwargs) {
    std::vector<Entry> entries;
    for (auto& [name, value] : arguments.named) entries.push_back({make_text(name), std::move(value)});
    return set("kwargs", context_.dict(std::move(entries)));
  }
  if (!arguments.named.empty()) {
    context_.error("the macro '", macro.name, "' has no argument '", arguments.named[0].first, "'");
  }
}

Value Interpreter::apply_routine(const Expression& expression) {
  const Value subject = evaluate(*expression.parts[0]);
  Arguments arguments = arguments_of(expression);
  context_.at_line(expression.line);
  return call_routine(context_, *expression.routine, subject, std::move(arguments));
}

Value Interpreter::apply_unary(const Expression& expression) {
  return expression.unary(context_, evaluate(*expression.parts[0]));
}

Value Interpreter::apply_binary(const Expression& expression) {
  const Value left = evaluate(*expression.parts[0]);
  const Value right = evaluate(*expression.parts[1]);
  return expression.operation->apply(context_, left, right);
}

Value Interpreter::negate(const Expression& expression) { return !is_true(evaluate(*expression.parts[0])); }

Value Interpreter::conjunction(const Expression& expression) {
  Value left = evaluate(*expression.parts[0]);
  return is_true(left) ? evaluate(*expression.parts[1]) : left;
}

Value Interpreter::disjunction(const Expression& expression) {
  Value left = evaluate(*expression.parts[0]);
  return is_true(left) ? left : evaluate(*expression.parts[1]);
}

Value Interpreter::concat(const Expression& expression) {
  Values parts;
  for (const ExpressionPointer& part : expression.parts) parts.push_back(evaluate(*part));
  std::string out;
  for (const Value& part : parts) {
    out += text_of(context_, part);
    context_.check_text(out.size());
  }
  return context_.text(std::move(out));
}

Value Interpreter::comparison(const Expression& expression) {
  Value left = evaluate(*expression.parts[0]);
  for (size_t i = 0; i < expression.comparisons.size(); ++i) {
    Value right = evaluate(*expression.parts[i + 1]);
    const Comparison& one = expression.comparisons[i];
    if (is_true(one.operation->apply(context_, left, right)) == one.negated) return false;
    left = std::move(right);
  }
  return true;
}

Value Interpreter::conditional(const Expression& expression) {
  if (is_true(evaluate(*expression.parts[0]))) return evaluate(*expression.parts[1]);
  if (expression.parts.size() > 2) return evaluate(*expression.parts[2]);
  return make_undefined("an 'if' without an 'else' has no value here");
}

}  // namespace lathe::jinja
