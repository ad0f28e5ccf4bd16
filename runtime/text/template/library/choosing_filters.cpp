// Filters that apply a test or another filter to each item.

#include "runtime/text/template/library/library.h"
#include "runtime/text/template/values/operators.h"
#include "runtime/text/template/values/text_of.h"

namespace lathe::jinja {
namespace {

/// The arguments behind the first `used`, of a filter that hands them on.
Arguments handed_on(const Bound& arguments, size_t used) {
  Arguments out = arguments.rest();
  out.positional.erase(out.positional.begin(), out.positional.begin() + static_cast<ptrdiff_t>(used));
  return out;
}

const Routine& named_routine(Context& context, const Value& name, const Routine* (*find)(std::string_view),
                             const char* kind) {
  if (name.text() == nullptr) context.error("the name of a ", kind, " must be a text, not ", type_name(name));
  const Routine* row = find(*name.text());
  if (row == nullptr) {
    context.fail_here(Errc::unsupported, message("the ", kind, " '", *name.text(), "' is not supported"));
  }
  return *row;
}

/// The items of which a test of a member, or of the item itself, says `wanted`.
Value chosen(Context& context, const Value& subject, const Bound& arguments, bool by_attribute, bool wanted) {
  const Values& given = arguments.rest().positional;
  const size_t used = by_attribute ? 1 : 0;
  if (given.size() < used) context.error("an attribute to select by is missing");
  const Routine* test = nullptr;
  if (given.size() > used) test = &named_routine(context, given[used], find_test, "test");
  Values out;
  for (const Value& item : items_of(context, subject)) {
    const Value value = by_attribute ? member_of(context, item, given[0]) : item;
    const Value verdict = test == nullptr ? value : call_routine(context, *test, value, handed_on(arguments, used + 1));
    if (is_true(verdict) == wanted) out.push_back(item);
  }
  return context.iterator(std::move(out));
}

Value select(Context& context, const Value& subject, const Bound& arguments) {
  return chosen(context, subject, arguments, false, true);
}
Value reject(Context& context, const Value& subject, const Bound& arguments) {
  return chosen(context, subject, arguments, false, false);
}
Value select_attribute(Context& context, const Value& subject, const Bound& arguments) {
  return chosen(context, subject, arguments, true, true);
}
Value reject_attribute(Context& context, const Value& subject, const Bound& arguments) {
  return chosen(context, subject, arguments, true, false);
}

const Value* find_named(const Bound& arguments, std::string_view name) {
  for (const auto& [key, value] : arguments.rest().named) {
    if (key == name) return &value;
  }
  return nullptr;
}

/// map(attribute=..., default=...), or map("filter", arguments of it).
Value map(Context& context, const Value& subject, const Bound& arguments) {
  Values out;
  const Values& given = arguments.rest().positional;
  const Value* path = given.empty() ? find_named(arguments, "attribute") : nullptr;
  if (path != nullptr) {
    const Value* fallback = find_named(arguments, "default");
    for (const Value& item : items_of(context, subject)) {
      Value value = member_of(context, item, *path);
      out.push_back(value.is_undefined() && fallback != nullptr ? *fallback : std::move(value));
    }
    return context.iterator(std::move(out));
  }
  if (given.empty()) context.error("map needs a filter or an attribute");
  const Routine& filter = named_routine(context, given[0], find_filter, "filter");
  for (const Value& item : items_of(context, subject)) {
    out.push_back(call_routine(context, filter, item, handed_on(arguments, 1)));
  }
  return context.iterator(std::move(out));
}

Value attribute(Context& context, const Value& subject, const Bound& arguments) {
  // Of a dict its methods, not its items.
  if (subject.dict() != nullptr && find_method(subject, text_of(context, arguments[0])) == nullptr) {
    return make_undefined(message("'dict' object has no attribute '", text_of(context, arguments[0]), "'"));
  }
  return attribute_of(context, subject, text_of(context, arguments[0]));
}

constexpr Routine kRows[] = {
    {"attr", "name", 1, attribute},           {"map", "*", 0, map},       {"reject", "*", 0, reject},
    {"rejectattr", "*", 0, reject_attribute}, {"select", "*", 0, select}, {"selectattr", "*", 0, select_attribute},
};

}  // namespace

std::span<const Routine> choosing_filters() { return kRows; }

}  // namespace lathe::jinja
