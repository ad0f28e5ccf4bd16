// The % operator of text.

#include <array>
#include <charconv>
#include <cmath>

#include "runtime/text/template/values/python_text.h"
#include "runtime/text/template/values/text_of.h"

namespace lathe::jinja {
namespace {

/// One conversion, as in %.2f.
struct Conversion {
  int precision = -1;
  char letter = 's';
};

std::string as_text(Context& context, const Value& value, const Conversion&) { return text_of(context, value); }
std::string as_repr(Context& context, const Value& value, const Conversion&) { return repr_of(context, value); }

std::string as_decimal(Context& context, const Value& value, const Conversion&) {
  int64_t integer = 0;
  double real = 0;
  if (as_integer(value, integer)) return message(integer);
  constexpr double kMost = 9.2e18;  // of 64 bits
  if (!as_number(value, real) || !(std::abs(real) < kMost)) {
    context.error("%d format: a number is required, not ", type_name(value));
  }
  return message(static_cast<int64_t>(real));
}

std::string as_fixed(Context& context, const Value& value, const Conversion& conversion) {
  double real = 0;
  if (!as_number(value, real)) context.error("%f format: a number is required, not ", type_name(value));
  constexpr int kDefault = 6;
  std::array<char, 512> digits;
  const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), real, std::chars_format::fixed,
                                    conversion.precision < 0 ? kDefault : conversion.precision);
  return {digits.data(), result.ptr};
}

struct LetterRow {
  char letter;
  std::string (*write)(Context&, const Value&, const Conversion&);
};
constexpr LetterRow kLetters[] = {
    {'s', as_text}, {'r', as_repr}, {'d', as_decimal}, {'i', as_decimal}, {'f', as_fixed}};

/// Reads what follows a percent sign and returns how many bytes it takes.
size_t read_conversion(const Context& context, std::string_view text, Conversion& out) {
  size_t at = 0;
  if (text.starts_with('.')) {
    const auto result = std::from_chars(text.data() + 1, text.data() + std::min<size_t>(text.size(), 3), out.precision);
    at = static_cast<size_t>(result.ptr - text.data());
  }
  if (at >= text.size()) context.error("incomplete format");
  out.letter = text[at];
  return at + 1;
}

}  // namespace

Value formatted(Context& context, const Value& text, const Value& arguments) {
  const Sequence* tuple = arguments.sequence();
  const Values one = {arguments};
  const Values& values = tuple != nullptr && tuple->kind == SequenceKind::tuple ? tuple->items : one;
  std::string_view rest = *text.text();
  std::string out;
  size_t used = 0;
  while (!rest.empty()) {
    const size_t percent = rest.find('%');
    out += rest.substr(0, percent);
    if (percent == rest.npos) break;
    rest.remove_prefix(percent + 1);
    Conversion conversion;
    rest.remove_prefix(read_conversion(context, rest, conversion));
    if (conversion.letter == '%') {
      out += '%';
      continue;
    }
    const auto* row = std::begin(kLetters);
    while (row != std::end(kLetters) && row->letter != conversion.letter) ++row;
    if (row == std::end(kLetters)) {
      context.fail_here(Errc::unsupported, message("the format %", conversion.letter, ", supported are s r d i f"));
    }
    if (used == values.size()) context.error("not enough arguments for format string");
    out += row->write(context, values[used++], conversion);
    context.charge(1);
    context.check_text(out.size());
  }
  const bool is_mapping = arguments.dict() != nullptr;
  if (used < values.size() && !is_mapping) context.error("not all arguments converted during string formatting");
  return context.text(std::move(out), text.get<Text>()->markup);
}

}  // namespace lathe::jinja
