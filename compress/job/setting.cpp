#include "compress/job/setting.h"

#include <charconv>

#include "formats/text.h"

namespace lathe {
namespace {

std::string shown(uint64_t value) { return message(value); }
std::string shown(double value) { return to_text(Json(value)); }

template <class Number>
Fault read(std::string_view text, const char* kind, Number minimum, Number maximum, Number& value) {
  Number read{};
  const char* last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, read);
  // Written so that it does not hold for NaN.
  const bool valid = error == std::errc() && end == last && read >= minimum && read <= maximum;
  if (!valid) {
    return message("\"", printable(text), "\" is not ", kind, " in [", shown(minimum), ", ", shown(maximum), "]");
  }
  value = read;
  return {};
}

}  // namespace

Fault read_integer(std::string_view text, uint64_t minimum, uint64_t maximum, uint64_t& value) {
  return read(text, "an integer", minimum, maximum, value);
}

Fault read_number(std::string_view text, double minimum, double maximum, double& value) {
  return read(text, "a number", minimum, maximum, value);
}

Fault out_of_bounds(uint64_t value, uint64_t minimum, uint64_t maximum) {
  return message(value, ", must be in [", minimum, ", ", maximum, "]");
}

Fault out_of_bounds(double value, double minimum, double maximum) {
  return message(shown(value), ", must be in [", shown(minimum), ", ", shown(maximum), "]");
}

Fault not_one_of(std::string_view text, std::string_view choices) {
  return message("\"", printable(text), "\" is not one of ", choices);
}

}  // namespace lathe
