// What may stand behind "is".

#include <algorithm>

#include "runtime/text/template/library/library.h"
#include "runtime/text/template/values/operators.h"
#include "runtime/text/template/values/python_text.h"
#include "runtime/text/template/values/text_of.h"

namespace lathe::jinja {
namespace {

bool is_number(const Value& value) {
  double number = 0;
  return as_number(value, number);
}

int64_t integer_of(const Context& context, const Value& value) {
  int64_t integer = 0;
  if (const Undefined* none = value.get<Undefined>()) context.error(undefined_message(*none));
  if (!as_integer(value, integer)) context.error("an integer is required, not ", type_name(value));
  return integer;
}

bool is_iterable(const Value& value) {
  return value.sequence() != nullptr || value.dict() != nullptr || value.text() != nullptr || value.is_undefined();
}

bool is_sequence(const Value& value) {
  const Sequence* sequence = value.sequence();
  if (sequence != nullptr) return !sequence->is_iterator() && sequence->kind != SequenceKind::view;
  return is_iterable(value);
}

/// The very same object, and for small values an equal one of the same type.
bool is_same(Context& context, const Value& a, const Value& b) {
  if (a.any().index() != b.any().index()) return false;
  if (a.sequence() != nullptr) return a.sequence() == b.sequence();
  if (a.dict() != nullptr) return a.dict() == b.dict();
  return equals(context, a, b);
}

/// Some character has a case, and text in that case is the same.
bool is_in_case(Context& context, const Value& value, std::string (*change)(std::string_view)) {
  const std::string text = text_of(context, value);
  return change(text) == text && (upper(text) != text || lower(text) != text);
}

using Any = const Value&;
using More = const Bound&;
Value divisible(Context& c, Any v, More m) {
  const int64_t by = integer_of(c, m[0]);
  if (by == 0) c.error("division by zero");
  return by == -1 || integer_of(c, v) % by == 0;
}

constexpr Routine kRows[] = {
    {"boolean", "", 0, [](Context&, Any v, More) { return Value(v.is<bool>()); }},
    {"callable", "", 0, [](Context&, Any v, More) { return Value(v.is<std::shared_ptr<const Callable>>()); }},
    {"defined", "", 0, [](Context&, Any v, More) { return Value(!v.is_undefined()); }},
    {"divisibleby", "num", 1, divisible},
    {"escaped", "", 0, [](Context&, Any v, More) { return Value(v.is<Text>() && v.get<Text>()->markup); }},
    {"even", "", 0, [](Context& c, Any v, More) { return Value(integer_of(c, v) % 2 == 0); }},
    {"false", "", 0, [](Context&, Any v, More) { return Value(v.is<bool>() && !*v.get<bool>()); }},
    {"filter", "", 0, [](Context& c, Any v, More) { return Value(find_filter(text_of(c, v)) != nullptr); }},
    {"float", "", 0, [](Context&, Any v, More) { return Value(v.is<double>()); }},
    {"in", "seq", 1, [](Context& c, Any v, More m) { return Value(contains(c, v, m[0])); }},
    {"integer", "", 0, [](Context&, Any v, More) { return Value(v.is<int64_t>()); }},
    {"iterable", "", 0, [](Context&, Any v, More) { return Value(is_iterable(v)); }},
    {"lower", "", 0, [](Context& c, Any v, More) { return Value(is_in_case(c, v, lower)); }},
    {"mapping", "", 0, [](Context&, Any v, More) { return Value(v.dict() != nullptr); }},
    {"none", "", 0, [](Context&, Any v, More) { return Value(v.is_none()); }},
    {"number", "", 0, [](Context&, Any v, More) { return Value(is_number(v)); }},
    {"odd", "", 0, [](Context& c, Any v, More) { return Value(integer_of(c, v) % 2 != 0); }},
    {"sameas", "other", 1, [](Context& c, Any v, More m) { return Value(is_same(c, v, m[0])); }},
    {"sequence", "", 0, [](Context&, Any v, More) { return Value(is_sequence(v)); }},
    {"string", "", 0, [](Context&, Any v, More) { return Value(v.text() != nullptr); }},
    {"test", "", 0, [](Context& c, Any v, More) { return Value(find_test(text_of(c, v)) != nullptr); }},
    {"true", "", 0, [](Context&, Any v, More) { return Value(v.is<bool>() && *v.get<bool>()); }},
    {"undefined", "", 0, [](Context&, Any v, More) { return Value(v.is_undefined()); }},
    {"upper", "", 0, [](Context& c, Any v, More) { return Value(is_in_case(c, v, upper)); }},
};

template <int low, int high>
Value ordered(Context& context, const Value& value, const Bound& arguments) {
  const int order = compare(context, low < 0 ? "<" : ">", value, arguments[0]);
  return order == 0 ? low == 0 || high == 0 : (order < 0 ? low < 0 : high > 0);
}
Value equal(Context& c, Any v, More m) { return equals(c, v, m[0]); }
Value unequal(Context& c, Any v, More m) { return !equals(c, v, m[0]); }

constexpr Routine kComparisons[] = {
    {"eq", "other", 1, equal},
    {"equalto", "other", 1, equal},
    {"==", "other", 1, equal},
    {"ne", "other", 1, unequal},
    {"!=", "other", 1, unequal},
    {"lt", "other", 1, ordered<-1, -1>},
    {"<", "other", 1, ordered<-1, -1>},
    {"lessthan", "other", 1, ordered<-1, -1>},
    {"le", "other", 1, ordered<-1, 0>},
    {"<=", "other", 1, ordered<-1, 0>},
    {"gt", "other", 1, ordered<1, 1>},
    {">", "other", 1, ordered<1, 1>},
    {"greaterthan", "other", 1, ordered<1, 1>},
    {"ge", "other", 1, ordered<0, 1>},
    {">=", "other", 1, ordered<0, 1>},
};

}  // namespace

const Routine* find_test(std::string_view name) {
  const auto named = [&](const Routine& row) { return row.name == name; };
  const auto* row = std::find_if(std::begin(kRows), std::end(kRows), named);
  if (row != std::end(kRows)) return row;
  row = std::find_if(std::begin(kComparisons), std::end(kComparisons), named);
  return row == std::end(kComparisons) ? nullptr : row;
}

}  // namespace lathe::jinja
