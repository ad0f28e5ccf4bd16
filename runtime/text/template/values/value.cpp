#include "runtime/text/template/values/value.h"

#include <algorithm>
#include <array>

namespace lathe::jinja {

const Sequence* Value::sequence() const {
  const auto* found = get<std::shared_ptr<const Sequence>>();
  return found == nullptr ? nullptr : found->get();
}

const Dict* Value::dict() const {
  const auto* found = get<std::shared_ptr<const Dict>>();
  return found == nullptr ? nullptr : found->get();
}

Value make_text(std::string bytes, bool markup) {
  return Text{std::make_shared<const std::string>(std::move(bytes)), markup};
}

Value make_undefined(std::string what) { return Undefined{std::make_shared<const std::string>(std::move(what))}; }

std::string_view type_name(const Value& value) {
  constexpr std::array<std::string_view, std::variant_size_v<Value::Any>> kNames = {
      "Undefined", "NoneType", "bool", "int", "float", "str", "list", "dict", "Namespace", "loop", "function"};
  constexpr std::array<std::string_view, 5> kSequences = {"list", "tuple", "range", "view", "iterator"};
  if (const Sequence* sequence = value.sequence()) return kSequences[static_cast<size_t>(sequence->kind)];
  return kNames[value.any().index()];
}

bool is_true(const Value& value) {
  if (value.is_undefined() || value.is_none()) return false;
  if (const std::string* text = value.text()) return !text->empty();
  if (const Sequence* sequence = value.sequence()) return sequence->is_iterator() || !sequence->items.empty();
  if (const Dict* dict = value.dict()) return !dict->entries.empty();
  double number = 1;
  return !as_number(value, number) || number != 0;
}

bool as_integer(const Value& value, int64_t& number) {
  if (const bool* boolean = value.get<bool>()) {
    number = *boolean ? 1 : 0;
    return true;
  }
  const int64_t* integer = value.get<int64_t>();
  if (integer != nullptr) number = *integer;
  return integer != nullptr;
}

bool as_number(const Value& value, double& number) {
  int64_t integer = 0;
  if (as_integer(value, integer)) {
    number = static_cast<double>(integer);
    return true;
  }
  const double* real = value.get<double>();
  if (real != nullptr) number = *real;
  return real != nullptr;
}

uint32_t depth_of(const Value& value) {
  if (const Sequence* sequence = value.sequence()) return sequence->depth;
  if (const Dict* dict = value.dict()) return dict->depth;
  return 0;
}

}  // namespace lathe::jinja
