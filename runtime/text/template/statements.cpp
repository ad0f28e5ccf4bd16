#include <algorithm>

#include "runtime/text/template/interpreter.h"
#include "runtime/text/template/values/operators.h"
#include "runtime/text/template/values/text_of.h"

namespace lathe::jinja {

// In the order of StatementKind.
const Interpreter::Execute Interpreter::kExecutors[] = {
    &Interpreter::write_text,     &Interpreter::write_output, &Interpreter::choose,       &Interpreter::loop,
    &Interpreter::assign,         &Interpreter::capture,      &Interpreter::define_macro, &Interpreter::call_with_body,
    &Interpreter::write_filtered, &Interpreter::run_in_scope, &Interpreter::break_loop,   &Interpreter::continue_loop,
};

namespace {

/// Goes back to the scope at hand when a block ends.
class ScopeGuard {
 public:
  explicit ScopeGuard(Scope*& scope) : scope_(scope), before_(scope) {}
  ~ScopeGuard() { scope_ = before_; }
  ScopeGuard(const ScopeGuard&) = delete;
  ScopeGuard& operator=(const ScopeGuard&) = delete;

 private:
  Scope*& scope_;
  Scope* before_;
};

}  // namespace

Interpreter::Interpreter(Context& context, std::vector<std::pair<std::string, Value>> globals) : context_(context) {
  scope_ = open_scope(nullptr);
  scope_->names = std::move(globals);
  scope_ = open_scope(scope_);
}

std::string Interpreter::run(const Block& block) {
  execute(block);
  return std::move(out_);
}

Scope* Interpreter::open_scope(Scope* around) {
  context_.charge(4);
  scopes_.push_back(std::make_unique<Scope>());
  scopes_.back()->around = around;
  return scopes_.back().get();
}

Interpreter::Flow Interpreter::execute(const Block& block) {
  const Nesting nesting(context_, nesting_);
  for (const Statement& statement : block) {
    context_.at_line(statement.line);
    context_.charge(1);
    const Flow flow = (this->*kExecutors[static_cast<size_t>(statement.kind)])(statement);
    if (flow != Flow::on) return flow;
  }
  return Flow::on;
}

void Interpreter::append(std::string_view text) {
  context_.charge_bytes(text.size());
  context_.check_text(out_.size() + text.size());
  out_ += text;
}

Interpreter::Flow Interpreter::write_text(const Statement& statement) {
  append(statement.text);
  return Flow::on;
}

Interpreter::Flow Interpreter::write_output(const Statement& statement) {
  append(text_of(context_, evaluate(*statement.value)));
  return Flow::on;
}

Interpreter::Flow Interpreter::choose(const Statement& statement) {
  for (const Branch& branch : statement.branches) {
    if (branch.condition == nullptr || is_true(evaluate(*branch.condition))) return execute(branch.body);
  }
  return Flow::on;
}

void Interpreter::set(const std::string& name, Value value) {
  for (auto& [key, known] : scope_->names) {
    if (key == name) return void(known = std::move(value));
  }
  context_.charge_bytes(name.size());
  scope_->names.emplace_back(name, std::move(value));
}

void Interpreter::unpack(const std::vector<std::string>& targets, const Value& value) {
  if (targets.size() == 1) return set(targets[0], value);
  if (const Undefined* none = value.get<Undefined>()) context_.error(undefined_message(*none));
  const Values items = items_of(context_, value);
  if (items.size() != targets.size()) {
    context_.error(items.size(), " values for ", targets.size(), " names");
  }
  for (size_t i = 0; i < items.size(); ++i) set(targets[i], items[i]);
}

/// The items of a loop, without those that its condition leaves out.
Values Interpreter::filtered_items(const Statement& statement) {
  Values items = items_of(context_, evaluate(*statement.value));
  if (statement.condition == nullptr) return items;
  const ScopeGuard guard(scope_);
  scope_ = open_scope(scope_);
  Values kept;
  for (const Value& item : items) {
    unpack(statement.targets, item);
    if (is_true(evaluate(*statement.condition))) kept.push_back(item);
  }
  return kept;
}

Interpreter::Flow Interpreter::loop(const Statement& statement) {
  auto state = std::make_shared<LoopState>();
  state->items = filtered_items(statement);
  const ScopeGuard guard(scope_);
  Scope* around = scope_;
  if (state->items.empty()) {
    scope_ = open_scope(around);
    return execute(statement.branches[1].body);
  }
  for (; state->index < state->items.size(); ++state->index) {
    scope_ = open_scope(around);
    set("loop", state);
    unpack(statement.targets, state->items[state->index]);
    if (execute(statement.branches[0].body) == Flow::broken) break;
  }
  return Flow::on;
}

Interpreter::Flow Interpreter::assign(const Statement& statement) {
  Value value = evaluate(*statement.value);
  if (!statement.of_namespace) {
    unpack(statement.targets, value);
    return Flow::on;
  }
  const Value object = value_of(statement.targets[0]);
  Namespace* const* space = object.get<Namespace*>();
  if (space == nullptr)
    context_.error("cannot assign an attribute of '", statement.targets[0], "', which is no namespace");
  for (auto& [key, known] : (*space)->members) {
    if (key == statement.text) return known = std::move(value), Flow::on;
  }
  context_.charge_bytes(statement.text.size());
  (*space)->members.emplace_back(statement.text, std::move(value));
  return Flow::on;
}

std::string Interpreter::captured(const Block& body) {
  const ScopeGuard guard(scope_);
  scope_ = open_scope(scope_);
  std::string before = std::exchange(out_, {});
  execute(body);
  return std::exchange(out_, std::move(before));
}

Interpreter::Flow Interpreter::capture(const Statement& statement) {
  Value value = context_.text(captured(statement.branches[0].body));
  if (statement.value != nullptr) {
    captured_ = std::move(value);
    value = evaluate(*statement.value);
  }
  if (statement.of_namespace) context_.fail_here(Errc::unsupported, "a block assigned to a member of a namespace");
  set(statement.targets[0], std::move(value));
  return Flow::on;
}

Interpreter::Flow Interpreter::write_filtered(const Statement& statement) {
  captured_ = context_.text(captured(statement.branches[0].body));
  append(text_of(context_, evaluate(*statement.value)));
  return Flow::on;
}

Interpreter::Flow Interpreter::define_macro(const Statement& statement) {
  set(statement.macro->name, std::shared_ptr<const Callable>(
                                 std::make_shared<Callable>(Callable{nullptr, {}, statement.macro.get(), scope_})));
  return Flow::on;
}

Interpreter::Flow Interpreter::call_with_body(const Statement& statement) {
  Arguments arguments = arguments_of(*statement.value);
  arguments.named.emplace_back("caller", std::shared_ptr<const Callable>(std::make_shared<Callable>(
                                             Callable{nullptr, {}, statement.macro.get(), scope_})));
  append(text_of(context_, call_value(*statement.value, std::move(arguments))));
  return Flow::on;
}

Interpreter::Flow Interpreter::run_in_scope(const Statement& statement) {
  Values values;
  for (const ExpressionPointer& value : statement.values) values.push_back(evaluate(*value));
  const ScopeGuard guard(scope_);
  scope_ = open_scope(scope_);
  for (size_t i = 0; i < values.size(); ++i) set(statement.targets[i], std::move(values[i]));
  return execute(statement.branches[0].body);
}

Interpreter::Flow Interpreter::break_loop(const Statement&) { return Flow::broken; }
Interpreter::Flow Interpreter::continue_loop(const Statement&) { return Flow::continued; }

}  // namespace lathe::jinja
