#include "compress/evaluation/fidelity.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "tests/formats/expect_error.h"

namespace lathe {

using test::expect_error;

TEST_CASE("fidelity is the cosine text by text", "[compress][fidelity]") {
  const FidelityResult same = fidelity({1, 2, 3, 4}, {2, 4, 6, 8}, 2);
  CHECK(same.texts == 2);
  CHECK(same.mean == Approx(1));
  CHECK(same.minimum == Approx(1));
  const FidelityResult mixed = fidelity({1, 0, 1, 0, 1, 0, 0, 0}, {1, 0, 0, 1, -1, 0, 0, 0}, 2);
  CHECK(mixed.mean == Approx(0.25));
  CHECK(mixed.minimum == Approx(-1));
  CHECK(fidelity({1, 1}, {0, 0}, 2).mean == 0);
  expect_error(Errc::usage, {"4", "2"}, [] { fidelity({1, 2, 3, 4}, {1, 2}, 2); });
  expect_error(Errc::malformed, {"text 1"}, [] { fidelity({1, 2}, {1, std::nanf("")}, 1); });
}

TEST_CASE("five percent of the texts are at or below p05", "[compress][fidelity]") {
  std::vector<float> original, compressed;
  for (int i = 0; i < 100; ++i) {  // cosines 0.00, 0.01 ... 0.99
    const auto cosine = static_cast<float>(i) / 100;
    original.insert(original.end(), {1, 0});
    compressed.insert(compressed.end(), {cosine, std::sqrt(1 - cosine * cosine)});
  }
  CHECK(fidelity(original, compressed, 2).p05 == Approx(0.04));
  CHECK(fidelity(original, compressed, 2).mean == Approx(0.495));
}

}  // namespace lathe
