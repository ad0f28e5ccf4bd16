#include "compress/methods/error_feedback.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "compress/methods/linalg.h"
#include "compress/methods/refine.h"
#include "tests/compress/methods/layer_samples.h"

using namespace lathe;

namespace {

struct Setting {
  Matrix weight;
  std::vector<double> gram;
  std::vector<float> gram_f32;
};

Setting setting(size_t rows, size_t cols, uint64_t seed) {
  Setting out;
  out.weight = test::random_matrix(rows, cols, seed);
  out.gram = test::statistics_of(test::correlated_inputs(4 * cols + 10, cols, seed)).gram;
  double mean = 0;
  for (size_t i = 0; i < cols; ++i) mean += out.gram[i * cols + i] / static_cast<double>(cols);
  for (size_t i = 0; i < cols; ++i) out.gram[i * cols + i] += 0.01 * mean;
  out.gram_f32.assign(out.gram.begin(), out.gram.end());
  return out;
}

double error_of(const Setting& s, const Matrix& values) {
  Matrix difference = values;
  for (size_t i = 0; i < difference.values.size(); ++i) difference.values[i] -= s.weight.values[i];
  return quadratic_form(difference, s.gram);
}

Candidate plainly_rounded(const Setting& s, const Grid& grid, const Mask& keep) {
  Candidate out{s.weight, keep};
  for (size_t r = 0; r < s.weight.rows; ++r) {
    for (size_t c = 0; c < s.weight.cols; ++c) {
      float& value = out.values.row(r)[c];
      value = keep[r * s.weight.cols + c] != 0 ? grid.snap(r, c, value) : 0.0f;
    }
  }
  return out;
}

void check_on_grid(const Candidate& candidate, const Grid& grid) {
  for (size_t r = 0; r < candidate.values.rows; ++r) {
    for (size_t c = 0; c < candidate.values.cols; ++c) {
      const float value = candidate.values.row(r)[c];
      REQUIRE(grid.snap(r, c, value) == value);
      if (candidate.keep[r * candidate.values.cols + c] == 0) REQUIRE(value == 0);
    }
  }
}

const Encoding kInt4{ValueType::int4, Sparsity::dense, 32};

}  // namespace

TEST_CASE("rounding with error feedback beats plain rounding on correlated inputs", "[compress][error_feedback]") {
  const Setting s = setting(48, 200, 1);
  const Grid grid = choose_grid(s.weight, kInt4, {}, nullptr);
  const Mask all(s.weight.values.size(), 1);
  const double plain = error_of(s, plainly_rounded(s, grid, all).values);
  for (const ColumnOrder order : {ColumnOrder::natural, ColumnOrder::by_energy}) {
    const auto candidate = run_error_feedback({s.weight, s.gram, grid, &all, 0, order});
    REQUIRE(candidate);
    check_on_grid(*candidate, grid);
    CHECK(error_of(s, candidate->values) < 0.5 * plain);
  }
}

TEST_CASE("pruning with error feedback takes exactly the asked number and beats magnitude",
          "[compress][error_feedback]") {
  const Setting s = setting(30, 300, 2);  // three blocks, the last one short
  const Grid grid = choose_grid(s.weight, {}, {}, nullptr);
  const Mask by_magnitude = magnitude_mask(s.weight, 0.5);
  const double plain = error_of(s, plainly_rounded(s, grid, by_magnitude).values);
  for (const uint64_t pruned : {uint64_t{1}, uint64_t{4499}, uint64_t{4500}, uint64_t{9000}}) {
    const auto candidate = run_error_feedback({s.weight, s.gram, grid, nullptr, pruned, ColumnOrder::natural});
    REQUIRE(candidate);
    CHECK(static_cast<uint64_t>(std::count(candidate->keep.begin(), candidate->keep.end(), uint8_t{0})) == pruned);
    CHECK(static_cast<uint64_t>(std::count(candidate->values.values.begin(), candidate->values.values.end(), 0.0f)) ==
          pruned);
    if (pruned == 4500) CHECK(error_of(s, candidate->values) < 0.5 * plain);
  }
}

TEST_CASE("a mask that is given stays as it is", "[compress][error_feedback]") {
  const Setting s = setting(11, 150, 3);
  const Mask keep = magnitude_mask(s.weight, 0.7);
  const Grid grid = choose_grid(s.weight, kInt4, {}, &keep);
  auto candidate = run_error_feedback({s.weight, s.gram, grid, &keep});
  REQUIRE(candidate);
  CHECK(candidate->keep == keep);
  refine({s.weight, s.gram_f32, grid, false, 2}, *candidate);
  CHECK(candidate->keep == keep);
  check_on_grid(*candidate, grid);
}

TEST_CASE("a gram matrix that is not positive definite is told and not used", "[compress][error_feedback]") {
  Setting s = setting(3, 4, 4);
  s.gram[0] = -1;
  const Grid grid = choose_grid(s.weight, {}, {}, nullptr);
  CHECK_FALSE(run_error_feedback({s.weight, s.gram, grid, nullptr, 2}));
}

TEST_CASE("descent lowers the error further with every round and stays on the grid", "[compress][error_feedback]") {
  const Setting s = setting(37, 290, 5);
  const Mask keep = magnitude_mask(s.weight, 0.5);
  const Grid grid = choose_grid(s.weight, {ValueType::int8, Sparsity::bitmask, 0}, {}, &keep);
  Candidate candidate = plainly_rounded(s, grid, keep);
  double before = error_of(s, candidate.values);
  const double start = before;
  for (int round = 0; round < 3; ++round) {
    refine({s.weight, s.gram_f32, grid, false, 1}, candidate);
    check_on_grid(candidate, grid);
    const double after = error_of(s, candidate.values);
    CHECK(after < before);
    before = after;
  }
  CHECK(before < 0.3 * start);
}

TEST_CASE("swaps find a better mask with as many weights", "[compress][error_feedback]") {
  const Setting s = setting(20, 160, 6);
  const Grid grid = choose_grid(s.weight, {}, {}, nullptr);
  auto fixed = run_error_feedback({s.weight, s.gram, grid, nullptr, 1600, ColumnOrder::natural});
  REQUIRE(fixed);
  Candidate free = *fixed;
  refine({s.weight, s.gram_f32, grid, false, 4}, *fixed);
  refine({s.weight, s.gram_f32, grid, true, 4}, free);
  CHECK(std::count(free.keep.begin(), free.keep.end(), uint8_t{0}) == 1600);
  CHECK(std::count(free.values.values.begin(), free.values.values.end(), 0.0f) == 1600);
  CHECK(free.keep != fixed->keep);
  CHECK(error_of(s, free.values) < 0.95 * error_of(s, fixed->values));
}

TEST_CASE("places of kept weights that round to zero are given to others", "[compress][error_feedback]") {
  const Setting s = setting(8, 64, 7);
  Mask keep = magnitude_mask(s.weight, 0.5);
  Candidate candidate{s.weight, keep};
  Matrix coarse = s.weight;
  for (float& value : coarse.values) value *= 10;  // so coarse a grid that small weights vanish
  const Grid grid = choose_grid(coarse, kInt4, {}, nullptr);
  candidate = plainly_rounded(s, grid, keep);
  const auto zeros = [&] { return std::count(candidate.values.values.begin(), candidate.values.values.end(), 0.0f); };
  const auto idle = zeros() - 256;
  REQUIRE(idle > 0);
  const double before = error_of(s, candidate.values);
  refine({s.weight, s.gram_f32, grid, true, 2}, candidate);
  CHECK(zeros() >= 256);
  CHECK(zeros() - 256 < idle);
  CHECK(error_of(s, candidate.values) < before);
}
