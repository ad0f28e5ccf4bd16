#include "compress/facts/number_text.h"

#include <catch2/catch.hpp>
#include <limits>

namespace lathe {

TEST_CASE("sizes are written with three digits and the unit that fits", "[compress][facts]") {
  CHECK(bytes_text(0) == "0 B");
  CHECK(bytes_text(999) == "999 B");
  CHECK(bytes_text(1000) == "1.00 kB");
  CHECK(bytes_text(999'600) == "1.00 MB");
  CHECK(bytes_text(22'713'216) == "22.7 MB");
  CHECK(bytes_text(90'868'376) == "90.9 MB");
  CHECK(bytes_text(5'000'000'000'000'000) == "5.00 PB");
  CHECK(bytes_text(std::numeric_limits<uint64_t>::max()) == "18.4 EB");
}

TEST_CASE("numbers are grouped by thousands before the point", "[compress][facts]") {
  CHECK(count_text(0) == "0");
  CHECK(count_text(999) == "999");
  CHECK(count_text(1'234'567) == "1,234,567");
  CHECK(fixed_text(2.0 / 3, 3) == "0.667");
  CHECK(fixed_text(-1234567.891, 2) == "-1,234,567.89");
  CHECK(fixed_text(-0.00001, 2) == "0.00");
  CHECK(signed_text(0.5, 1) == "+0.5");
  CHECK(signed_text(-0.5, 1) == "-0.5");
  CHECK(signed_text(0, 1) == "0.0");
  CHECK(ratio_text(4.806) == "4.81x");
  CHECK(ratio_text(1234.4) == "1,234x");
  CHECK(percent_text(0.5) == "50.0 %");
  CHECK(plural(1, "model") == "1 model");
  CHECK(plural(1000, "model") == "1,000 models");
}

TEST_CASE("losses keep the digits that mean something", "[compress][facts]") {
  CHECK(loss_text(0) == "0.00000");
  CHECK(loss_text(0.041234) == "0.04123");
  CHECK(loss_text(0.0000213) == "2.1e-05");
  CHECK(loss_text(7.4921) == "7.49210");
  CHECK(loss_text(12.3456) == "12.35");
}

TEST_CASE("durations are written as people say them", "[compress][facts]") {
  CHECK(duration_text(0) == "0.0 s");
  CHECK(duration_text(3.44) == "3.4 s");
  CHECK(duration_text(59.96) == "1 min 00 s");
  CHECK(duration_text(125) == "2 min 05 s");
  CHECK(duration_text(3725) == "1 h 02 min");
}

TEST_CASE("a figure that is not finite stands as missing", "[compress][facts]") {
  for (const double value : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    for (const std::string& text : {fixed_text(value, 2), signed_text(value, 2), percent_text(value), ratio_text(value),
                                    loss_text(value), duration_text(value)}) {
      CHECK(text == kMissing);
    }
  }
  CHECK(duration_text(-1) == kMissing);
}

}  // namespace lathe
