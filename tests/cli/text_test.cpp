#include "cli/text.h"

#include <catch2/catch.hpp>

namespace lathe::cli {

TEST_CASE("sizes are written with the unit that fits", "[cli][text]") {
  CHECK(bytes_text(0) == "0 B");
  CHECK(bytes_text(999) == "999 B");
  CHECK(bytes_text(1000) == "1.0 kB");
  CHECK(bytes_text(22713216) == "22.7 MB");
  CHECK(bytes_text(999'960'000) == "1.0 GB");
  CHECK(bytes_text(5'000'000'000'000'000) == "5000.0 TB");
}

TEST_CASE("durations are written as people say them", "[cli][text]") {
  CHECK(duration_text(0) == "0.0 s");
  CHECK(duration_text(3.44) == "3.4 s");
  CHECK(duration_text(59.96) == "1 min 00 s");
  CHECK(duration_text(125) == "2 min 05 s");
  CHECK(duration_text(3725) == "1 h 02 min");
  CHECK(duration_text(-1) == "0.0 s");
}

TEST_CASE("numbers are grouped by thousands", "[cli][text]") {
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1000) == "1,000");
  CHECK(grouped(1234567) == "1,234,567");
  CHECK(fixed(2.0 / 3, 3) == "0.667");
}

TEST_CASE("a table aligns its columns and leaves no blanks at line ends", "[cli][text]") {
  CHECK(table({{"name", "size", "x"}, {"a", "1,000", ""}}, "lrl") == "  name   size  x\n  a     1,000\n");
}

}  // namespace lathe::cli
