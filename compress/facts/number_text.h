#pragma once
// Figures as text for people: the one way in which the command and the reports write them. A value that is not finite
// gives kMissing.

#include <cstdint>
#include <string>
#include <string_view>

namespace lathe {

/// Stands for a figure that was not measured.
inline constexpr const char* kMissing = "-";

/// "1,234.50"
std::string fixed_text(double value, int decimals);
/// fixed_text with its sign, also when it is positive; zero has none.
std::string signed_text(double value, int decimals);
/// "1,234"
std::string count_text(uint64_t value);
/// Decimal units, three digits: "18.9 MB", "512 B".
std::string bytes_text(uint64_t bytes);
/// 0.5 gives "50.0 %".
std::string percent_text(double fraction, int decimals = 1);
/// "4.81x", "12.3x", "1,200x"
std::string ratio_text(double ratio);
/// Five decimals, two from 10 on, and "2.1e-06" below 0.0001.
std::string loss_text(double loss);
/// As many decimals as the smallest value of its column needs: see milliseconds_decimals.
std::string milliseconds_text(double milliseconds, int decimals = 2);
/// 3 when `smallest` is below 1, otherwise 2.
int milliseconds_decimals(double smallest);
/// "3.4 s", "2 min 05 s", "1 h 02 min"; kMissing also for a negative time.
std::string duration_text(double seconds);
/// "1 model", "2 models", "1,000 models"
std::string plural(uint64_t count, std::string_view noun);

}  // namespace lathe
