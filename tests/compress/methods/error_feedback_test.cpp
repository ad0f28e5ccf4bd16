#include "compress/methods/error_feedback.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "tests/compress/methods/error_setting.h"

using namespace lathe;
using test::check_on_grid;
using test::error_setting;
using test::ErrorSetting;
using test::rounded_to_nearest;

namespace {

const Encoding kInt4{ValueType::int4, Sparsity::dense, 32};

}  // namespace

TEST_CASE("rounding with error feedback beats plain rounding on correlated inputs", "[compress][error_feedback]") {
  const ErrorSetting s = error_setting(48, 200, 1);
  const Grid grid = choose_grid(s.weight, kInt4, {}, nullptr);
  const Mask all(s.weight.values.size(), 1);
  const double plain = s.error_of(rounded_to_nearest(s.weight, grid, all).values);
  for (const ColumnOrder order : {ColumnOrder::natural, ColumnOrder::by_energy}) {
    const auto candidate = run_error_feedback({s.weight, s.gram, grid, &all, 0, order});
    REQUIRE(candidate);
    check_on_grid(*candidate, grid);
    CHECK(s.error_of(candidate->values) < 0.5 * plain);
  }
}

TEST_CASE("pruning with error feedback takes exactly the asked number and beats magnitude",
          "[compress][error_feedback]") {
  const ErrorSetting s = error_setting(30, 300, 2);  // three blocks, the last one short
  const Grid grid = choose_grid(s.weight, {}, {}, nullptr);
  const Mask by_magnitude = magnitude_mask(s.weight, 0.5);
  const double plain = s.error_of(rounded_to_nearest(s.weight, grid, by_magnitude).values);
  for (const uint64_t pruned : {uint64_t{1}, uint64_t{4499}, uint64_t{4500}, uint64_t{9000}}) {
    const auto candidate = run_error_feedback({s.weight, s.gram, grid, nullptr, pruned, ColumnOrder::natural});
    REQUIRE(candidate);
    CHECK(static_cast<uint64_t>(std::count(candidate->keep.begin(), candidate->keep.end(), uint8_t{0})) == pruned);
    CHECK(static_cast<uint64_t>(std::count(candidate->values.values.begin(), candidate->values.values.end(), 0.0f)) ==
          pruned);
    if (pruned == 4500) CHECK(s.error_of(candidate->values) < 0.5 * plain);
  }
}

TEST_CASE("a mask that is given stays as it is", "[compress][error_feedback]") {
  const ErrorSetting s = error_setting(11, 150, 3);
  const Mask keep = magnitude_mask(s.weight, 0.7);
  const Grid grid = choose_grid(s.weight, kInt4, {}, &keep);
  auto candidate = run_error_feedback({s.weight, s.gram, grid, &keep});
  REQUIRE(candidate);
  CHECK(candidate->keep == keep);
  check_on_grid(*candidate, grid);
}

TEST_CASE("a gram matrix that is not positive definite is told and not used", "[compress][error_feedback]") {
  ErrorSetting s = error_setting(3, 4, 4);
  s.gram[0] = -1;
  const Grid grid = choose_grid(s.weight, {}, {}, nullptr);
  CHECK_FALSE(run_error_feedback({s.weight, s.gram, grid, nullptr, 2}));
}
