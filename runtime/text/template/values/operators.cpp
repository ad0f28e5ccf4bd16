#include "runtime/text/template/values/operators.h"

#include <array>
#include <cmath>
#include <iterator>

#include "runtime/text/template/values/python_text.h"
#include "runtime/text/template/values/text_of.h"

namespace lathe::jinja {
namespace {

[[noreturn]] void refuse(const Context& context, std::string_view sign, const Value& a, const Value& b) {
  for (const Value* value : {&a, &b}) {
    if (const Undefined* none = value->get<Undefined>()) context.error(undefined_message(*none));
  }
  context.error("unsupported operand types for ", sign, ": '", type_name(a), "' and '", type_name(b), "'");
}

[[noreturn]] void overflow(const Context& context, std::string_view sign) {
  context.fail_here(Errc::limit, message("the result of ", sign, " does not fit 64 bits"));
}

/// What two numbers give: of integers an integer, else a float.
template <class OfIntegers, class OfReals>
Value of_numbers(Context& context, std::string_view sign, const Value& a, const Value& b, OfIntegers of_integers,
                 OfReals of_reals) {
  int64_t x = 0, y = 0, result = 0;
  if (as_integer(a, x) && as_integer(b, y)) {
    if (of_integers(x, y, &result)) overflow(context, sign);
    return result;
  }
  double left = 0, right = 0;
  if (!as_number(a, left) || !as_number(b, right)) refuse(context, sign, a, b);
  return of_reals(left, right);
}

Value joined(Context& context, const Value& a, const Value& b) {
  const Sequence& left = *a.sequence();
  Values items = left.items;
  items.insert(items.end(), b.sequence()->items.begin(), b.sequence()->items.end());
  return context.sequence(left.kind, std::move(items));
}

bool are_lists(const Value& a, const Value& b) {
  const Sequence *x = a.sequence(), *y = b.sequence();
  return x != nullptr && y != nullptr && x->kind == y->kind &&
         (x->kind == SequenceKind::list || x->kind == SequenceKind::tuple);
}

Value add(Context& context, const Value& a, const Value& b) {
  if (a.text() != nullptr && b.text() != nullptr) {
    const bool markup = a.get<Text>()->markup || b.get<Text>()->markup;
    context.charge_bytes(a.text()->size() + b.text()->size());
    if (markup) return context.text(escaped_unless_markup(context, a) + escaped_unless_markup(context, b), true);
    context.check_text(a.text()->size() + b.text()->size());
    return context.text(*a.text() + *b.text());
  }
  if (are_lists(a, b)) return joined(context, a, b);
  return of_numbers(
      context, "+", a, b, [](int64_t x, int64_t y, int64_t* r) { return __builtin_add_overflow(x, y, r); },
      [](double x, double y) { return x + y; });
}

Value subtract(Context& context, const Value& a, const Value& b) {
  return of_numbers(
      context, "-", a, b, [](int64_t x, int64_t y, int64_t* r) { return __builtin_sub_overflow(x, y, r); },
      [](double x, double y) { return x - y; });
}

Value repeated(Context& context, const Value& value, int64_t count) {
  const auto times = static_cast<size_t>(std::max<int64_t>(count, 0));
  if (const std::string* text = value.text()) {
    if (!text->empty() && times > context.limits().text_bytes / text->size()) {
      context.fail_here(Errc::limit, message(times, " times a text of ", text->size(), " bytes, the limit is ",
                                             context.limits().text_bytes));
    }
    std::string out;
    out.reserve(text->size() * times);
    for (size_t i = 0; i < times && !text->empty(); ++i) out += *text;
    return context.text(std::move(out), value.get<Text>()->markup);
  }
  const Sequence& sequence = *value.sequence();
  Values items;
  for (size_t i = 0; i < times && !sequence.items.empty(); ++i) {
    context.charge(sequence.items.size());
    items.insert(items.end(), sequence.items.begin(), sequence.items.end());
  }
  return context.sequence(sequence.kind, std::move(items));
}

bool can_repeat(const Value& value) {
  const Sequence* sequence = value.sequence();
  return value.text() != nullptr ||
         (sequence != nullptr && (sequence->kind == SequenceKind::list || sequence->kind == SequenceKind::tuple));
}

Value multiply(Context& context, const Value& a, const Value& b) {
  int64_t count = 0;
  if (can_repeat(a) && as_integer(b, count)) return repeated(context, a, count);
  if (can_repeat(b) && as_integer(a, count)) return repeated(context, b, count);
  return of_numbers(
      context, "*", a, b, [](int64_t x, int64_t y, int64_t* r) { return __builtin_mul_overflow(x, y, r); },
      [](double x, double y) { return x * y; });
}

void check_divisor(const Context& context, const Value& a, const Value& b, std::string_view sign) {
  double left = 0, right = 0;
  if (!as_number(a, left) || !as_number(b, right)) refuse(context, sign, a, b);
  if (right == 0) context.error("division by zero");
}

Value divide(Context& context, const Value& a, const Value& b) {
  check_divisor(context, a, b, "/");
  double left = 0, right = 1;
  as_number(a, left);
  as_number(b, right);
  return left / right;
}

/// Towards minus infinity, as Python rounds.
Value floor_divide(Context& context, const Value& a, const Value& b) {
  check_divisor(context, a, b, "//");
  return of_numbers(
      context, "//", a, b,
      [](int64_t x, int64_t y, int64_t* r) {
        if (y == -1) return __builtin_sub_overflow(int64_t{0}, x, r);
        *r = x / y - (x % y != 0 && (x % y < 0) != (y < 0) ? 1 : 0);
        return false;
      },
      [](double x, double y) { return std::floor(x / y); });
}

Value modulo(Context& context, const Value& a, const Value& b) {
  if (a.text() != nullptr) return formatted(context, a, b);
  check_divisor(context, a, b, "%");
  return of_numbers(
      context, "%", a, b,
      [](int64_t x, int64_t y, int64_t* r) {
        *r = y == -1 ? 0 : x % y;
        if (*r != 0 && (*r < 0) != (y < 0)) *r += y;
        return false;
      },
      [](double x, double y) {
        const double rest = std::fmod(x, y);
        return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
      });
}

Value power(Context& context, const Value& a, const Value& b) {
  int64_t base = 0, exponent = 0;
  if (as_integer(a, base) && as_integer(b, exponent) && exponent >= 0) {
    int64_t result = 1;
    for (; exponent > 0; exponent -= 1) {
      if (base == 0 || base == 1) return base;
      if (base == -1) return int64_t{exponent % 2 == 0 ? 1 : -1};
      if (__builtin_mul_overflow(result, base, &result)) overflow(context, "**");
    }
    return result;
  }
  double left = 0, right = 0;
  if (!as_number(a, left) || !as_number(b, right)) refuse(context, "**", a, b);
  if (left == 0 && right < 0) context.error("division by zero");
  if (left < 0 && right != std::floor(right)) context.error("a negative number to a broken power is complex");
  return std::pow(left, right);
}

Value is_equal(Context& context, const Value& a, const Value& b) { return equals(context, a, b); }
Value is_unequal(Context& context, const Value& a, const Value& b) { return !equals(context, a, b); }
Value is_less(Context& context, const Value& a, const Value& b) { return compare(context, "<", a, b) < 0; }
Value is_at_most(Context& context, const Value& a, const Value& b) { return compare(context, "<=", a, b) <= 0; }
Value is_greater(Context& context, const Value& a, const Value& b) { return compare(context, ">", a, b) > 0; }
Value is_at_least(Context& context, const Value& a, const Value& b) { return compare(context, ">=", a, b) >= 0; }
Value is_in(Context& context, const Value& a, const Value& b) { return contains(context, a, b); }

constexpr OperatorRow kSums[] = {{"+", add}, {"-", subtract}};
constexpr OperatorRow kProducts[] = {{"*", multiply}, {"/", divide}, {"//", floor_divide}, {"%", modulo}};
constexpr OperatorRow kPowers[] = {{"**", power}};
constexpr OperatorRow kComparisons[] = {{"==", is_equal},  {"!=", is_unequal},  {"<", is_less}, {"<=", is_at_most},
                                        {">", is_greater}, {">=", is_at_least}, {"in", is_in}};

template <size_t kRows>
const OperatorRow* find(const OperatorRow (&rows)[kRows], std::string_view sign) {
  for (const OperatorRow& row : rows) {
    if (row.sign == sign) return &row;
  }
  return nullptr;
}

}  // namespace

const OperatorRow* find_sum(std::string_view sign) { return find(kSums, sign); }
const OperatorRow* find_product(std::string_view sign) { return find(kProducts, sign); }
const OperatorRow* find_power(std::string_view sign) { return find(kPowers, sign); }
const OperatorRow* find_comparison(std::string_view sign) { return find(kComparisons, sign); }

Value negated(Context& context, const Value& value) {
  if (const double* real = value.get<double>()) return -*real;
  return subtract(context, int64_t{0}, value);
}

Value unchanged(Context& context, const Value& value) {
  if (const double* real = value.get<double>()) return *real;
  return add(context, int64_t{0}, value);
}

}  // namespace lathe::jinja
