#include "runtime/text/template/library/library.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "runtime/text/template/values/operators.h"
#include "runtime/text/template/values/text_of.h"

namespace lathe::jinja {
namespace {

struct Parameters {
  std::vector<std::string_view> names;
  bool takes_any = false;
};

Parameters parameters_of(const Routine& routine) {
  Parameters out;
  for (std::string_view rest = routine.parameters; !rest.empty();) {
    const size_t end = std::min(rest.find(' '), rest.size());
    if (rest.substr(0, end) == "*") {
      out.takes_any = true;
    } else {
      out.names.push_back(rest.substr(0, end));
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return out;
}

const Routine* find(std::span<const Routine> rows, std::string_view name) {
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const Routine& one) { return one.name == name; });
  return row == rows.end() ? nullptr : &*row;
}

/// The member of a loop by its name.
struct LoopRow {
  std::string_view name;
  Value (*value)(const LoopState&);
};
Value signed_of(size_t number) { return static_cast<int64_t>(number); }
constexpr LoopRow kLoopRows[] = {
    {"index", [](const LoopState& loop) { return signed_of(loop.index + 1); }},
    {"index0", [](const LoopState& loop) { return signed_of(loop.index); }},
    {"revindex", [](const LoopState& loop) { return signed_of(loop.items.size() - loop.index); }},
    {"revindex0", [](const LoopState& loop) { return signed_of(loop.items.size() - loop.index - 1); }},
    {"first", [](const LoopState& loop) { return Value(loop.index == 0); }},
    {"last", [](const LoopState& loop) { return Value(loop.index + 1 == loop.items.size()); }},
    {"length", [](const LoopState& loop) { return signed_of(loop.items.size()); }},
    {"depth", [](const LoopState&) { return signed_of(1); }},  // more only where loops call themselves
    {"depth0", [](const LoopState&) { return signed_of(0); }},
    {"previtem",
     [](const LoopState& loop) {
       return loop.index > 0 ? loop.items[loop.index - 1] : make_undefined("there is no previous item");
     }},
    {"nextitem",
     [](const LoopState& loop) {
       return loop.index + 1 < loop.items.size() ? loop.items[loop.index + 1] : make_undefined("there is no next item");
     }},
};

bool own_member(const Value& object, std::string_view name, Value& out) {
  if (Namespace* const* space = object.get<Namespace*>()) {
    for (const auto& [key, value] : (*space)->members) {
      if (key == name) return out = value, true;
    }
  }
  if (const auto* loop = object.get<std::shared_ptr<LoopState>>()) {
    for (const LoopRow& row : kLoopRows) {
      if (row.name == name) return out = row.value(**loop), true;
    }
  }
  return false;
}

}  // namespace

const Routine* find_filter(std::string_view name) {
  for (const auto rows : {text_filters(), number_filters(), list_filters(), choosing_filters()}) {
    if (const Routine* row = find(rows, name)) return row;
  }
  return nullptr;
}

const Routine* find_method(const Value& subject, std::string_view name) {
  if (subject.text() != nullptr) return find(text_methods(), name);
  if (subject.dict() != nullptr) return find(dict_methods(), name);
  if (subject.is<std::shared_ptr<LoopState>>()) return find(loop_methods(), name);
  const Sequence* sequence = subject.sequence();
  const bool is_list = sequence != nullptr && !sequence->is_iterator() && sequence->kind != SequenceKind::view;
  return is_list ? find(list_methods(), name) : nullptr;
}

bool is_changing_method(const Value& subject, std::string_view name) {
  constexpr std::array<std::string_view, 7> kOfLists = {"append", "clear", "extend", "insert", "pop", "remove", "sort"};
  constexpr std::array<std::string_view, 5> kOfDicts = {"clear", "pop", "popitem", "setdefault", "update"};
  const auto is_in = [&](const auto& names) { return std::find(names.begin(), names.end(), name) != names.end(); };
  const Sequence* sequence = subject.sequence();
  return (sequence != nullptr && sequence->kind == SequenceKind::list && (is_in(kOfLists) || name == "reverse")) ||
         (subject.dict() != nullptr && is_in(kOfDicts));
}

bool is_refused_name(std::string_view name) {
  constexpr std::array<std::string_view, 5> kRefused = {"cycler", "joiner", "lipsum", "self", "super"};
  return std::find(kRefused.begin(), kRefused.end(), name) != kRefused.end();
}

std::string argument_fault(const Routine& routine, size_t positional, std::span<const std::string_view> named) {
  const Parameters parameters = parameters_of(routine);
  const size_t most = parameters.names.size();
  if (positional > most && !parameters.takes_any) {
    return message("takes ", most, " arguments at most, not ", positional);
  }
  for (size_t i = 0; i < named.size(); ++i) {
    const auto found = std::find(parameters.names.begin(), parameters.names.end(), named[i]);
    if (found == parameters.names.end() && !parameters.takes_any) {
      return message("has no argument '", named[i], "' here");
    }
    const bool is_again =
        found != parameters.names.end() && static_cast<size_t>(found - parameters.names.begin()) < positional;
    if (is_again || std::find(named.begin(), named.begin() + static_cast<ptrdiff_t>(i), named[i]) !=
                        named.begin() + static_cast<ptrdiff_t>(i)) {
      return message("has the argument '", named[i], "' twice");
    }
  }
  for (size_t i = positional; i < routine.required; ++i) {
    if (std::find(named.begin(), named.end(), parameters.names[i]) == named.end()) {
      return message("needs the argument '", parameters.names[i], "'");
    }
  }
  return {};
}

Bound bind(const Context& context, const Routine& routine, Arguments arguments) {
  std::vector<std::string_view> names;
  for (const auto& [name, value] : arguments.named) names.push_back(name);
  const std::string fault = argument_fault(routine, arguments.positional.size(), names);
  if (!fault.empty()) context.error("'", routine.name, "' ", fault);
  const Parameters parameters = parameters_of(routine);
  Bound out;
  out.values_.resize(parameters.names.size());
  out.given_.resize(parameters.names.size());
  for (size_t i = 0; i < arguments.positional.size(); ++i) {
    if (i >= parameters.names.size()) {
      out.rest_.positional.push_back(std::move(arguments.positional[i]));
      continue;
    }
    out.values_[i] = std::move(arguments.positional[i]);
    out.given_[i] = true;
  }
  for (auto& [name, value] : arguments.named) {
    const auto found = std::find(parameters.names.begin(), parameters.names.end(), name);
    const auto place = static_cast<size_t>(found - parameters.names.begin());
    if (found == parameters.names.end()) {
      out.rest_.named.emplace_back(name, std::move(value));
      continue;
    }
    out.values_[place] = std::move(value);
    out.given_[place] = true;
  }
  return out;
}

Value call_routine(Context& context, const Routine& routine, const Value& subject, Arguments arguments) {
  context.charge(1 + arguments.positional.size() + arguments.named.size());
  return routine.call(context, subject, bind(context, routine, std::move(arguments)));
}

Value attribute_of(Context& context, const Value& object, std::string_view name) {
  context.charge(1);
  if (const Undefined* none = object.get<Undefined>()) context.error(undefined_message(*none));
  Value own;
  if (own_member(object, name, own)) return own;
  if (const Routine* method = find_method(object, name)) {
    return std::shared_ptr<const Callable>(std::make_shared<Callable>(Callable{method, object}));
  }
  if (is_changing_method(object, name)) {
    context.error("the method '", name, "' would change a ", type_name(object), ", which templates may not");
  }
  if (const Dict* dict = object.dict()) {
    const size_t at = find_key(context, *dict, make_text(std::string(name)));
    if (at < dict->entries.size()) return dict->entries[at].value;
  }
  return make_undefined(message("'", type_name(object), "' object has no attribute '", name, "'"));
}

Value member_of(Context& context, const Value& object, const Value& path) {
  const std::string* text = path.text();
  if (text == nullptr) return item_of(context, object, path);
  Value value = object;
  for (std::string_view rest = *text;;) {
    const size_t end = std::min(rest.find('.'), rest.size());
    const std::string_view part = rest.substr(0, end);
    const bool is_number = !part.empty() && part.size() <= 9 && part.find_first_not_of("0123456789") == part.npos;
    if (is_number) {
      value = item_of(context, value, static_cast<int64_t>(std::stol(std::string(part))));
    } else {  // an item, else an attribute
      Value item = value.dict() != nullptr ? item_of(context, value, make_text(std::string(part))) : Value();
      value = item.is_undefined() ? attribute_of(context, value, part) : item;
    }
    if (end == rest.size()) return value;
    rest.remove_prefix(end + 1);
  }
}

}  // namespace lathe::jinja
