#pragma once
// The operators of Python on the values of templates. All of them throw Error{malformed} for operands that Python would
// not take, and pay for what they look at.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "runtime/text/template/context.h"
#include "runtime/text/template/values/value.h"

namespace lathe::jinja {

using Binary = Value (*)(Context&, const Value&, const Value&);

struct OperatorRow {
  std::string_view sign;
  Binary apply;
};

/// Null when `sign` is no operator of its group.
const OperatorRow* find_sum(std::string_view sign);         // + -
const OperatorRow* find_product(std::string_view sign);     // * / // %
const OperatorRow* find_power(std::string_view sign);       // **
const OperatorRow* find_comparison(std::string_view sign);  // == != < <= > >=, and in

Value negated(Context& context, const Value& value);
Value unchanged(Context& context, const Value& value);  // the plus sign

bool equals(Context& context, const Value& a, const Value& b);
/// Below 0, 0, above 0. `sign` is for the message.
int compare(Context& context, std::string_view sign, const Value& a, const Value& b);
/// item in container
bool contains(Context& context, const Value& item, const Value& container);

/// The place of a key, or the number of entries.
size_t find_key(Context& context, const Dict& dict, const Value& key);
/// Lists and dicts are no keys.
void check_key(const Context& context, const Value& key);

/// object[key]; undefined where there is none.
Value item_of(Context& context, const Value& object, const Value& key);
/// object[start:stop:step], where none and undefined leave a bound out.
Value slice_of(Context& context, const Value& object, const Value& start, const Value& stop, const Value& step);

/// What iterating over a value gives; throws for what is no iterable. Iterators are empty afterwards.
Values items_of(Context& context, const Value& value);

}  // namespace lathe::jinja
