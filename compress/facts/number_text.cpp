#include "compress/facts/number_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "formats/artifact/error.h"

namespace lathe {
namespace {

/// Commas between the thousands of the digits before the point.
std::string grouped(std::string text) {
  const size_t first = text.find_first_of("0123456789");
  const size_t end = std::min(text.find_first_of(".e"), text.size());
  for (size_t at = end; at > first + 3;) {
    at -= 3;
    text.insert(at, 1, ',');
  }
  return text;
}

std::string digits_of(double value, std::chars_format format, int precision) {
  std::array<char, 64> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format, precision);
  return {buffer.data(), result.ptr};
}

bool is_zero_text(std::string_view text) { return text.find_first_of("123456789") == text.npos; }

std::string two_digits(uint64_t value) { return (value < 10 ? "0" : "") + std::to_string(value); }

}  // namespace

std::string fixed_text(double value, int decimals) {
  if (!std::isfinite(value)) return kMissing;
  if (std::abs(value) >= 1e15) return digits_of(value, std::chars_format::scientific, 3);
  std::string text = digits_of(value, std::chars_format::fixed, decimals);
  if (text.front() == '-' && is_zero_text(text)) text.erase(0, 1);
  return grouped(std::move(text));
}

std::string signed_text(double value, int decimals) {
  std::string text = fixed_text(value, decimals);
  const bool positive = std::isfinite(value) && value > 0 && !is_zero_text(text);
  return positive ? "+" + text : text;
}

std::string count_text(uint64_t value) { return grouped(std::to_string(value)); }

std::string bytes_text(uint64_t bytes) {
  constexpr std::array<const char*, 7> kUnits = {" B", " kB", " MB", " GB", " TB", " PB", " EB"};
  if (bytes < 1000) return std::to_string(bytes) + kUnits[0];
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  // 999.5 would be written "1000".
  while (value >= 999.5 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return fixed_text(value, decimals) + kUnits[unit];
}

std::string percent_text(double fraction, int decimals) {
  return std::isfinite(fraction) ? fixed_text(fraction * 100, decimals) + " %" : kMissing;
}

std::string ratio_text(double ratio) {
  if (!std::isfinite(ratio)) return kMissing;
  return fixed_text(ratio, ratio < 9.995 ? 2 : ratio < 99.95 ? 1 : 0) + "x";
}

std::string loss_text(double loss) {
  if (!std::isfinite(loss)) return kMissing;
  if (loss != 0 && std::abs(loss) < 1e-4) return digits_of(loss, std::chars_format::scientific, 1);
  return fixed_text(loss, std::abs(loss) < 10 ? 5 : 2);
}

std::string milliseconds_text(double milliseconds, int decimals) {
  return milliseconds > 0 ? fixed_text(milliseconds, decimals) : kMissing;
}

int milliseconds_decimals(double smallest) { return smallest < 1 ? 3 : 2; }

std::string duration_text(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return kMissing;
  if (seconds < 59.95) return fixed_text(seconds, 1) + " s";
  const auto whole = static_cast<uint64_t>(std::min(std::round(seconds), 1e9));
  if (whole < 3600) return message(whole / 60, " min ", two_digits(whole % 60), " s");
  return message(whole / 3600, " h ", two_digits(whole / 60 % 60), " min");
}

std::string plural(uint64_t count, std::string_view noun) {
  return message(count_text(count), " ", noun, count == 1 ? "" : "s");
}

}  // namespace lathe
