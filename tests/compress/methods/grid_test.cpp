#include "compress/methods/grid.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "compress/methods/encode.h"
#include "tests/compress/methods/layer_samples.h"

using namespace lathe;

namespace {

const std::vector<Encoding> kIntegers = {{ValueType::int8, Sparsity::dense, 0},
                                         {ValueType::int4, Sparsity::dense, 32},
                                         {ValueType::int4, Sparsity::dense, 7}};
const std::vector<Encoding> kAll = {{ValueType::f32, Sparsity::dense, 0},   {ValueType::f16, Sparsity::dense, 0},
                                    {ValueType::bf16, Sparsity::dense, 0},  {ValueType::int8, Sparsity::dense, 0},
                                    {ValueType::int4, Sparsity::dense, 32}, {ValueType::int4, Sparsity::dense, 7}};
// Widths around the length of a group, and a single column.
const std::vector<size_t> kWidths = {1, 6, 7, 8, 31, 32, 33, 100};

// What the search minimises, for one row.
double row_error(const Matrix& weight, const Grid& grid, const std::vector<float>& importance, size_t row) {
  double error = 0;
  for (size_t c = 0; c < weight.cols; ++c) {
    const double difference = static_cast<double>(weight.row(row)[c]) - grid.snap(row, c, weight.row(row)[c]);
    error += (importance.empty() ? 1.0 : importance[c]) * difference * difference;
  }
  return error;
}

double total_error(const Matrix& weight, const Grid& grid, const std::vector<float>& importance) {
  double error = 0;
  for (size_t r = 0; r < weight.rows; ++r) error += row_error(weight, grid, importance, r);
  return error;
}

std::vector<float> random_importance(size_t cols, uint64_t seed) {
  std::vector<float> out = test::random_matrix(1, cols, seed).values;
  for (float& value : out) value = std::exp(4 * value);
  return out;
}

// The squared error of rounding a row to nearest with int8 steps that just hold its largest weight.
double plain_int8_error(const Matrix& weight, const std::vector<float>& importance, size_t row) {
  float largest = 0;
  for (size_t c = 0; c < weight.cols; ++c) largest = std::max(largest, std::abs(weight.row(row)[c]));
  const float step = storable_scale(largest / 127);
  double error = 0;
  for (size_t c = 0; c < weight.cols; ++c) {
    const float q = std::min(127.0f, std::max(-127.0f, std::nearbyint(weight.row(row)[c] / step)));
    const double difference = static_cast<double>(weight.row(row)[c]) - q * step;
    error += importance[c] * difference * difference;
  }
  return error;
}

// The same for the groups of an int4 row: its scale is that of the search, and each multiplier just holds its group.
double plain_int4_error(const Matrix& weight, const Grid& grid, const std::vector<float>& importance, size_t row) {
  double error = 0;
  for (size_t first = 0; first < weight.cols; first += grid.group) {
    const size_t end = std::min(first + grid.group, weight.cols);
    float ideal = 0;
    for (size_t c = first; c < end; ++c) {
      const float value = weight.row(row)[c];
      ideal = std::max(ideal, value > 0 ? value / 7 : value / -8);
    }
    const float multiplier = std::min(15.0f, std::ceil(ideal / grid.row_scales[row]));
    const float step = multiplier * grid.row_scales[row];
    for (size_t c = first; c < end; ++c) {
      const float q = step > 0 ? std::min(7.0f, std::max(-8.0f, std::nearbyint(weight.row(row)[c] / step))) : 0.0f;
      const double difference = static_cast<double>(weight.row(row)[c]) - q * step;
      error += importance[c] * difference * difference;
    }
  }
  return error;
}

}  // namespace

TEST_CASE("the search is never worse than rounding to the steps that hold every weight", "[compress][grid]") {
  for (const size_t cols : kWidths) {
    const Matrix weight = test::random_matrix(20, cols, cols);
    const std::vector<float> importance = random_importance(cols, cols + 1);
    for (const Encoding& encoding : kIntegers) {
      CAPTURE(cols, encoding_name(encoding));
      const Grid grid = choose_grid(weight, encoding, importance, nullptr);
      for (size_t r = 0; r < weight.rows; ++r) {
        const double plain = encoding.values == ValueType::int8 ? plain_int8_error(weight, importance, r)
                                                                : plain_int4_error(weight, grid, importance, r);
        CHECK(row_error(weight, grid, importance, r) <= plain * (1 + 1e-5));
      }
    }
  }
}

TEST_CASE("the search minimises the error that it is asked about", "[compress][grid]") {
  const Matrix weight = test::random_matrix(20, 96, 2);
  const std::vector<float> importance = random_importance(96, 3);
  for (const Encoding& encoding : kIntegers) {
    CAPTURE(encoding_name(encoding));
    const Grid equal = choose_grid(weight, encoding, {}, nullptr);
    const Grid weighted = choose_grid(weight, encoding, importance, nullptr);
    CHECK(total_error(weight, weighted, importance) < total_error(weight, equal, importance));
    CHECK(total_error(weight, equal, {}) < total_error(weight, weighted, {}));
  }
}

TEST_CASE("a column without importance does not decide the scale", "[compress][grid]") {
  Matrix weight = test::random_matrix(1, 32, 6);
  weight.values[0] = 12.0f;  // an outlier that no input reaches
  std::vector<float> importance(32, 1.0f);
  importance[0] = 1e-6f;
  const Encoding encoding{ValueType::int4, Sparsity::dense, 32};
  std::vector<float> rest(32, 1.0f);
  rest[0] = 0;
  CHECK(row_error(weight, choose_grid(weight, encoding, importance, nullptr), rest, 0) <
        0.8 * row_error(weight, choose_grid(weight, encoding, {}, nullptr), rest, 0));
}

TEST_CASE("a zero stays zero, whatever the encoding", "[compress][grid]") {
  for (const size_t cols : kWidths) {
    const Matrix weight = test::random_matrix(3, cols, cols + 7);
    for (const Encoding& encoding : kAll) {
      const Grid grid = choose_grid(weight, encoding, {}, nullptr);
      for (size_t r = 0; r < 3; ++r) {
        for (size_t c = 0; c < cols; ++c) {
          const float snapped = grid.snap(r, c, 0.0f);
          REQUIRE(snapped == 0.0f);
          REQUIRE_FALSE(std::signbit(grid.snap(r, c, -0.0f)));
        }
      }
    }
  }
}

TEST_CASE("weights that are pruned do not decide the scale", "[compress][grid]") {
  const Matrix weight = test::random_matrix(5, 50, 8);
  Matrix outlier = weight;
  Matrix zero = weight;
  Mask keep(weight.values.size(), 1);
  for (size_t r = 0; r < 5; ++r) {
    outlier.row(r)[9 * r] = 1000;
    zero.row(r)[9 * r] = 0;
    keep[r * 50 + 9 * r] = 0;
  }
  for (const Encoding& encoding : kIntegers) {
    const Grid masked = choose_grid(outlier, encoding, {}, &keep);
    const Grid expected = choose_grid(zero, encoding, {}, nullptr);
    CHECK(masked.row_scales == expected.row_scales);
    CHECK(masked.multipliers == expected.multipliers);
    CHECK(masked.steps != choose_grid(outlier, encoding, {}, nullptr).steps);
  }
}

TEST_CASE("every step is a storable row scale times a multiplier within its bounds", "[compress][grid]") {
  for (const size_t cols : kWidths) {
    const Matrix weight = test::random_matrix(11, cols, cols + 20);
    for (const Encoding& encoding : kIntegers) {
      CAPTURE(cols, encoding_name(encoding));
      const Grid grid = choose_grid(weight, encoding, {}, nullptr);
      const bool int8 = encoding.values == ValueType::int8;
      REQUIRE(grid.groups == (int8 ? 1 : (cols + encoding.group - 1) / encoding.group));
      REQUIRE(grid.row_scales.size() == 11);
      REQUIRE(grid.multipliers.size() == 11 * grid.groups);
      for (size_t r = 0; r < 11; ++r) {
        CHECK(grid.row_scales[r] > 0);
        CHECK(storable_scale(grid.row_scales[r]) == grid.row_scales[r]);
        for (size_t g = 0; g < grid.groups; ++g) {
          const int multiplier = grid.multipliers[r * grid.groups + g];
          CHECK(multiplier <= (int8 ? 1 : kMaxGroupScale));
          CHECK(grid.steps[g * 11 + r] == grid.row_scales[r] * static_cast<float>(multiplier));
        }
      }
    }
  }
}

TEST_CASE("a snapped value is a whole number of steps, the nearest within the range", "[compress][grid]") {
  const Matrix weight = test::random_matrix(6, 33, 30);
  for (const Encoding& encoding : kIntegers) {
    const Grid grid = choose_grid(weight, encoding, {}, nullptr);
    for (size_t r = 0; r < 6; ++r) {
      for (size_t c = 0; c < 33; ++c) {
        const float step = grid.steps[(c / grid.group) * 6 + r];
        for (const float stretch : {1.0f, 3.0f, -40.0f}) {
          const float value = stretch * weight.row(r)[c];
          const float snapped = grid.snap(r, c, value);
          if (step == 0) {
            REQUIRE(snapped == 0);
            continue;
          }
          const float q = snapped / step;
          REQUIRE(q == std::nearbyint(q));
          REQUIRE(q >= grid.lowest);
          REQUIRE(q <= grid.highest);
          const float inside = std::min(grid.highest * step, std::max(grid.lowest * step, value));
          REQUIRE(std::abs(snapped - inside) <= 0.5001f * step);
        }
      }
    }
  }
}

TEST_CASE("columns snap as single values do", "[compress][grid]") {
  const Matrix weight = test::random_matrix(9, 40, 4);
  for (const Encoding& encoding : kAll) {
    const Grid grid = choose_grid(weight, encoding, {}, nullptr);
    std::vector<float> in(9, 0.0f);
    std::vector<float> out(9);
    for (size_t c = 0; c < 40; ++c) {
      for (size_t r = 0; r < 9; ++r) in[r] = 3 * weight.row(r)[c];
      grid.snap_column(c, in.data(), out.data());
      for (size_t r = 0; r < 9; ++r) REQUIRE(out[r] == grid.snap(r, c, in[r]));
    }
  }
}

TEST_CASE("rows and groups of zeros have valid scales and stay zero", "[compress][grid]") {
  Matrix weight = test::random_matrix(2, 64, 40);
  std::fill(weight.row(0), weight.row(0) + 64, 0.0f);
  std::fill(weight.row(1), weight.row(1) + 32, 0.0f);
  for (const Encoding& encoding : kIntegers) {
    const Grid grid = choose_grid(weight, encoding, {}, nullptr);
    CHECK(grid.row_scales[0] == 1.0f);
    CHECK(row_error(weight, grid, {}, 0) == 0);
    for (size_t c = 0; c < 32; ++c) CHECK(grid.snap(1, c, 0.0f) == 0);
    CHECK(row_error(weight, grid, {}, 1) < 0.1);
  }
}

TEST_CASE("the largest and the smallest numbers have finite grids", "[compress][grid]") {
  constexpr float kLargest = std::numeric_limits<float>::max();
  Matrix weight(3, 33);
  for (size_t c = 0; c < 33; ++c) {
    weight.row(0)[c] = c % 2 == 0 ? kLargest : -kLargest;
    weight.row(1)[c] = 1e-44f;
    weight.row(2)[c] = -1e30f;
  }
  for (const Encoding& encoding : kAll) {
    const Grid grid = choose_grid(weight, encoding, {}, nullptr);
    for (size_t r = 0; r < 3; ++r) {
      for (size_t c = 0; c < 33; ++c) REQUIRE(std::isfinite(grid.snap(r, c, weight.row(r)[c])));
    }
  }
}

TEST_CASE("the grid of an encoded weight is the one that it was encoded with", "[compress][grid]") {
  const Matrix weight = test::random_matrix(7, 45, 50);
  for (const Encoding& encoding : kAll) {
    const Grid grid = choose_grid(weight, encoding, {}, nullptr);
    Matrix values = weight;
    for (size_t r = 0; r < 7; ++r) {
      for (size_t c = 0; c < 45; ++c) values.row(r)[c] = grid.snap(r, c, weight.row(r)[c]);
    }
    const Grid read = grid_of(encode(values, grid, encoding).view());
    CHECK(read.row_scales == grid.row_scales);
    CHECK(read.multipliers == grid.multipliers);
    CHECK(read.steps == grid.steps);
  }
}

TEST_CASE("row scales that are set become the nearest that can be stored", "[compress][grid]") {
  Grid grid = choose_grid(test::random_matrix(3, 40, 60), {ValueType::int4, Sparsity::dense, 32}, {}, nullptr);
  const std::vector<uint8_t> multipliers = grid.multipliers;
  set_row_scales(grid, {0.1f, 0.25f, 0.0f});
  CHECK(grid.row_scales[0] == Approx(0.1f).epsilon(1.0 / 256));
  CHECK(grid.row_scales[1] == 0.25f);
  CHECK(grid.row_scales[2] > 0);
  CHECK(grid.multipliers == multipliers);
  CHECK(grid.steps[1] == 0.25f * multipliers[2]);
}
