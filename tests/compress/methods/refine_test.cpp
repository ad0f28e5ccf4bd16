#include "compress/methods/refine.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "tests/compress/methods/error_setting.h"

using namespace lathe;
using test::check_on_grid;
using test::error_setting;
using test::ErrorSetting;
using test::rounded_to_nearest;

namespace {

const Encoding kInt4{ValueType::int4, Sparsity::dense, 32};
const Encoding kInt8{ValueType::int8, Sparsity::dense, 0};

// Rounding errors of float, relative to the error before.
constexpr double kRounding = 1 + 1e-5;

int64_t zeros(const Matrix& values) { return std::count(values.values.begin(), values.values.end(), 0.0f); }

std::vector<int64_t> kept_by_row(const Candidate& candidate) {
  std::vector<int64_t> counts;
  for (size_t r = 0; r < candidate.values.rows; ++r) {
    const auto first = candidate.keep.begin() + static_cast<ptrdiff_t>(r * candidate.values.cols);
    counts.push_back(std::count(first, first + static_cast<ptrdiff_t>(candidate.values.cols), uint8_t{1}));
  }
  return counts;
}

// Values of the grid drawn at random, far from the optimum.
Candidate random_start(const ErrorSetting& s, const Grid& grid, const Mask& keep, uint64_t seed) {
  return rounded_to_nearest(test::random_matrix(s.weight.rows, s.weight.cols, seed), grid, keep);
}

// The smallest error that any combination of values of an int4 grid with one row and one group has.
double smallest_error(const ErrorSetting& s, const Grid& grid) {
  const size_t cols = s.weight.cols;
  double least = std::numeric_limits<double>::infinity();
  std::vector<double> difference(cols);
  for (size_t code = 0; code < size_t{1} << (4 * cols); ++code) {
    for (size_t c = 0; c < cols; ++c) {
      const double level = static_cast<double>((code >> (4 * c)) & 15u) - 8.0;
      difference[c] = grid.steps[0] * level - s.weight.values[c];
    }
    double error = 0;
    for (size_t i = 0; i < cols; ++i) {
      for (size_t j = 0; j < cols; ++j) error += difference[i] * s.gram[i * cols + j] * difference[j];
    }
    least = std::min(least, error);
  }
  return least;
}

}  // namespace

TEST_CASE("descent never raises the error, from any start, and stays on the grid", "[compress][refine]") {
  for (const Encoding& encoding : {Encoding{}, kInt8, kInt4}) {
    for (const bool swap : {false, true}) {
      for (const uint64_t seed : {1u, 2u, 3u}) {
        CAPTURE(encoding_name(encoding), swap, seed);
        const ErrorSetting s = error_setting(9, 150, seed);
        const Mask keep = magnitude_mask(s.weight, 0.4);
        const Grid grid = choose_grid(s.weight, encoding, {}, &keep);
        Candidate candidate = random_start(s, grid, keep, seed + 10);
        for (int round = 0; round < 4; ++round) {
          const double before = s.error_of(candidate.values);
          refine({s.weight, s.gram_f32, grid, swap, 1}, candidate);
          CHECK(s.error_of(candidate.values) <= before * kRounding);
          check_on_grid(candidate, grid);
        }
      }
    }
  }
}

TEST_CASE("descent lowers the error of plain rounding with every round", "[compress][refine]") {
  const ErrorSetting s = error_setting(37, 290, 5);
  const Mask keep = magnitude_mask(s.weight, 0.5);
  const Grid grid = choose_grid(s.weight, {ValueType::int8, Sparsity::bitmask, 0}, {}, &keep);
  Candidate candidate = rounded_to_nearest(s.weight, grid, keep);
  double before = s.error_of(candidate.values);
  const double start = before;
  for (int round = 0; round < 3; ++round) {
    refine({s.weight, s.gram_f32, grid, false, 1}, candidate);
    const double after = s.error_of(candidate.values);
    CHECK(after < before);
    before = after;
  }
  CHECK(before < 0.3 * start);
}

TEST_CASE("in the end no single weight can move to a better value of its grid", "[compress][refine]") {
  const ErrorSetting s = error_setting(3, 300, 8);  // three blocks of columns, the last one short
  const Mask all(s.weight.values.size(), 1);
  const Grid grid = choose_grid(s.weight, kInt4, {}, nullptr);
  Candidate candidate = random_start(s, grid, all, 9);
  refine({s.weight, s.gram_f32, grid, false, 60}, candidate);
  const DoubleMatrix difference = (view(candidate.values) - view(s.weight)).cast<double>();
  const DoubleMatrix slope = difference * square(s.gram, 300);
  const double error = s.error_of(candidate.values);
  for (size_t r = 0; r < 3; ++r) {
    for (size_t c = 0; c < 300; ++c) {
      const double moment = s.gram[c * 300 + c];
      const double row_slope = slope(static_cast<Eigen::Index>(r), static_cast<Eigen::Index>(c));
      const float value = candidate.values.row(r)[c];
      const double move = grid.snap(r, c, static_cast<float>(value - row_slope / moment)) - value;
      CHECK(move * (2 * row_slope + move * moment) > -1e-5 * error);
    }
  }
}

TEST_CASE("where inputs do not depend on each other, descent finds the smallest error there is", "[compress][refine]") {
  for (const uint64_t seed : {1u, 2u, 3u, 4u}) {
    const ErrorSetting s(test::random_matrix(1, 4, seed), {3, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0.5, 0, 0, 0, 0, 2});
    const Mask all(4, 1);
    const Grid grid = choose_grid(s.weight, kInt4, {}, nullptr);
    Candidate candidate = random_start(s, grid, all, seed + 20);
    refine({s.weight, s.gram_f32, grid, false, 1}, candidate);
    CHECK(s.error_of(candidate.values) == Approx(smallest_error(s, grid)));
  }
}

TEST_CASE("after error feedback, descent comes near the smallest error of a small layer", "[compress][refine]") {
  double found = 0;
  double plain = 0;
  double least = 0;
  for (const uint64_t seed : {1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u}) {
    const ErrorSetting s = error_setting(1, 4, seed);
    const Mask all(4, 1);
    const Grid grid = choose_grid(s.weight, kInt4, {}, nullptr);
    auto candidate = run_error_feedback({s.weight, s.gram, grid, &all});
    REQUIRE(candidate);
    refine({s.weight, s.gram_f32, grid, false, 4}, *candidate);
    const double best = smallest_error(s, grid);
    CHECK(s.error_of(candidate->values) >= best * (1 - 1e-9));
    found += s.error_of(candidate->values);
    plain += s.error_of(rounded_to_nearest(s.weight, grid, all).values);
    least += best;
  }
  CHECK(found < 1.5 * least);
  CHECK(found < 0.9 * plain);
}

TEST_CASE("swaps stay within a row and keep the number of its weights", "[compress][refine]") {
  const ErrorSetting s = error_setting(12, 140, 11);
  // Rows lose different numbers of weights.
  Mask keep = magnitude_mask(s.weight, 0.5);
  std::fill(keep.begin(), keep.begin() + 140, uint8_t{1});
  const Grid grid = choose_grid(s.weight, {}, {}, nullptr);  // f32: no kept weight rounds to zero
  Candidate candidate = rounded_to_nearest(s.weight, grid, keep);
  const std::vector<int64_t> before = kept_by_row(candidate);
  refine({s.weight, s.gram_f32, grid, true, 3}, candidate);
  CHECK(candidate.keep != keep);
  CHECK(kept_by_row(candidate) == before);
  check_on_grid(candidate, grid);
}

TEST_CASE("swaps turn the worst mask into the best where inputs do not depend on each other", "[compress][refine]") {
  std::vector<double> gram(64, 0.0);
  for (size_t c = 0; c < 8; ++c) gram[c * 8 + c] = 1;
  Matrix weight(1, 8);
  for (size_t c = 0; c < 8; ++c) weight.values[c] = static_cast<float>(c + 1);
  const ErrorSetting s(weight, gram);
  const Grid grid = choose_grid(weight, {}, {}, nullptr);
  const Mask worst = {1, 1, 1, 1, 0, 0, 0, 0};
  Candidate candidate = rounded_to_nearest(weight, grid, worst);
  refine({s.weight, s.gram_f32, grid, true, 3}, candidate);
  CHECK(candidate.keep == Mask{0, 0, 0, 0, 1, 1, 1, 1});
  CHECK(s.error_of(candidate.values) == Approx(1 + 4 + 9 + 16));
}

TEST_CASE("swaps find a better mask with the same number of weights", "[compress][refine]") {
  const ErrorSetting s = error_setting(20, 160, 6);
  const Grid grid = choose_grid(s.weight, {}, {}, nullptr);
  auto fixed = run_error_feedback({s.weight, s.gram, grid, nullptr, 1600, ColumnOrder::natural});
  REQUIRE(fixed);
  Candidate free = *fixed;
  refine({s.weight, s.gram_f32, grid, false, 4}, *fixed);
  refine({s.weight, s.gram_f32, grid, true, 4}, free);
  CHECK(std::count(free.keep.begin(), free.keep.end(), uint8_t{0}) == 1600);
  CHECK(zeros(free.values) == 1600);
  CHECK(free.keep != fixed->keep);
  CHECK(s.error_of(free.values) < 0.95 * s.error_of(fixed->values));
}

TEST_CASE("kept weights that round to zero give their places in the mask to others", "[compress][refine]") {
  const ErrorSetting s = error_setting(8, 64, 7);
  const Mask keep = magnitude_mask(s.weight, 0.5);
  Matrix coarse = s.weight;
  for (float& value : coarse.values) value *= 10;  // makes the grid so coarse that small weights vanish
  const Grid grid = choose_grid(coarse, kInt4, {}, nullptr);
  Candidate candidate = rounded_to_nearest(s.weight, grid, keep);
  const int64_t idle = zeros(candidate.values) - 256;
  REQUIRE(idle > 0);
  const double before = s.error_of(candidate.values);
  refine({s.weight, s.gram_f32, grid, true, 2}, candidate);
  CHECK(zeros(candidate.values) >= 256);
  CHECK(zeros(candidate.values) - 256 < idle);
  CHECK(s.error_of(candidate.values) < before);
}

TEST_CASE("a mask that may not change stays as it is, and no rounds change nothing", "[compress][refine]") {
  const ErrorSetting s = error_setting(6, 70, 12);
  const Mask keep = magnitude_mask(s.weight, 0.6);
  const Grid grid = choose_grid(s.weight, kInt8, {}, &keep);
  Candidate candidate = random_start(s, grid, keep, 13);
  const Candidate start = candidate;
  refine({s.weight, s.gram_f32, grid, true, 0}, candidate);
  CHECK(candidate.values.values == start.values.values);
  CHECK(candidate.keep == keep);
  refine({s.weight, s.gram_f32, grid, false, 3}, candidate);
  CHECK(candidate.keep == keep);
  CHECK(candidate.values.values != start.values.values);
}
