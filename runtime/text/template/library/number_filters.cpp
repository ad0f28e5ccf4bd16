// Filters that give a number, and those that give something where there is nothing.

#include <array>
#include <charconv>
#include <cmath>

#include "runtime/text/template/library/library.h"
#include "runtime/text/template/values/operators.h"
#include "runtime/text/template/values/python_text.h"
#include "runtime/text/template/values/text_of.h"

namespace lathe::jinja {
namespace {

constexpr double kMostInteger = 9.2e18;  // below 2^63

bool read_float(std::string_view text, double& out) {
  text = stripped(text, Side::both);
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto result = std::from_chars(text.data(), text.data() + text.size(), out);
  return !text.empty() && !text.starts_with('+') && result.ptr == text.data() + text.size() && result.ec == std::errc();
}

/// Takes 0x and its like away where they fit the base, and returns the base that they say.
int without_prefix(std::string_view& text, int base) {
  constexpr std::pair<char, int> kPrefixes[] = {{'x', 16}, {'o', 8}, {'b', 2}};
  for (const auto& [letter, prefix_base] : kPrefixes) {
    const bool is_there = text.size() > 2 && text[0] == '0' && (text[1] | 0x20) == letter;
    if (!is_there || (base != 0 && base != prefix_base)) continue;
    text.remove_prefix(2);
    return prefix_base;
  }
  return base == 0 ? 10 : base;
}

bool read_integer(std::string_view text, int base, int64_t& out) {
  text = stripped(text, Side::both);
  const bool signed_text = text.starts_with('+');
  if (signed_text) text.remove_prefix(1);
  if (signed_text && text.starts_with('-')) return false;
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  base = without_prefix(text, base);
  if (text.starts_with('-')) return false;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), out, base);
  if (negative) out = -out;
  return !text.empty() && result.ptr == text.data() + text.size() && result.ec == std::errc();
}

bool truncated(double real, int64_t& out) {
  if (!(std::abs(real) < kMostInteger)) return false;
  out = static_cast<int64_t>(real);
  return true;
}

void check_defined(const Context& context, const Value& subject) {
  if (const Undefined* none = subject.get<Undefined>()) context.error(undefined_message(*none));
}

Value to_int(Context& context, const Value& subject, const Bound& arguments) {
  check_defined(context, subject);
  int64_t base = 10, integer = 0;
  if (arguments.has(1) && (!as_integer(arguments[1], base) || base < 0 || base == 1 || base > 36)) {
    context.error("int: base must be 0 or an integer from 2 to 36");
  }
  double real = 0;
  if (const std::string* text = subject.text()) {
    context.charge_bytes(text->size());
    if (read_integer(*text, static_cast<int>(base), integer)) return integer;
    if (read_float(*text, real) && truncated(real, integer)) return integer;
  } else if (as_integer(subject, integer) || (as_number(subject, real) && truncated(real, integer))) {
    return integer;
  }
  return arguments.has(0) ? arguments[0] : Value(int64_t{0});
}

Value to_float(Context& context, const Value& subject, const Bound& arguments) {
  check_defined(context, subject);
  double real = 0;
  if (as_number(subject, real)) return real;
  if (subject.text() != nullptr) {
    context.charge_bytes(subject.text()->size());
    if (read_float(*subject.text(), real)) return real;
  }
  return arguments.has(0) ? arguments[0] : Value(0.0);
}

Value absolute(Context& context, const Value& subject, const Bound&) {
  check_defined(context, subject);
  double real = 0;
  if (!as_number(subject, real)) context.error("abs: a number is required, not ", type_name(subject));
  return real < 0 ? negated(context, subject) : unchanged(context, subject);
}

/// To even, as Python rounds the exact value.
double rounded(double value, int64_t precision) {
  constexpr int64_t kMost = 300;
  if (precision > kMost || !std::isfinite(value)) return value;
  if (precision < 0) {
    const double unit = std::pow(10.0, static_cast<double>(std::min(-precision, kMost)));
    return std::nearbyint(value / unit) * unit;
  }
  std::array<char, 1024> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed,
                                 static_cast<int>(precision))
                       .ptr;
  double out = value;
  std::from_chars(digits.data(), end, out);
  return out;
}

Value round(Context& context, const Value& subject, const Bound& arguments) {
  check_defined(context, subject);
  int64_t precision = 0, integer = 0;
  double real = 0;
  if (arguments.has(0) && !as_integer(arguments[0], precision)) context.error("round: precision must be an integer");
  if (!as_number(subject, real)) context.error("round: a number is required, not ", type_name(subject));
  const std::string method = arguments.has(1) ? text_of(context, arguments[1]) : "common";
  if (method == "common") {
    if (as_integer(subject, integer) && precision >= 0) return integer;
    return rounded(real, precision);
  }
  if (method != "ceil" && method != "floor") context.error("round: method must be common, ceil or floor");
  const double unit = std::pow(10.0, static_cast<double>(precision));
  return (method == "ceil" ? std::ceil(real * unit) : std::floor(real * unit)) / unit;
}

Value length(Context& context, const Value& subject, const Bound&) {
  if (const std::string* text = subject.text()) return static_cast<int64_t>(length_of_text(context, *text));
  if (const Dict* dict = subject.dict()) return static_cast<int64_t>(dict->entries.size());
  const Sequence* sequence = subject.sequence();
  if (sequence != nullptr && !sequence->is_iterator()) return static_cast<int64_t>(sequence->items.size());
  if (subject.is_undefined()) return int64_t{0};
  context.error("an object of type '", type_name(subject), "' has no length");
}

Value fallback(Context& context, const Value& subject, const Bound& arguments) {
  const bool is_missing = subject.is_undefined() || (is_true(arguments[1]) && !is_true(subject));
  if (!is_missing) return subject;
  return arguments.has(0) ? arguments[0] : context.text("");
}

Value sum(Context& context, const Value& subject, const Bound& arguments) {
  const OperatorRow& plus = *find_sum("+");
  Value total = arguments.has(1) ? arguments[1] : Value(int64_t{0});
  const bool by_attribute = arguments.has(0) && !arguments[0].is_none();
  for (const Value& item : items_of(context, subject)) {
    total = plus.apply(context, total, by_attribute ? member_of(context, item, arguments[0]) : item);
  }
  return total;
}

constexpr Routine kRows[] = {
    {"abs", "", 0, absolute},
    {"count", "", 0, length},
    {"d", "default_value boolean", 0, fallback},
    {"default", "default_value boolean", 0, fallback},
    {"float", "default", 0, to_float},
    {"int", "default base", 0, to_int},
    {"length", "", 0, length},
    {"round", "precision method", 0, round},
    {"sum", "attribute start", 0, sum},
};

}  // namespace

std::span<const Routine> number_filters() { return kRows; }

}  // namespace lathe::jinja
