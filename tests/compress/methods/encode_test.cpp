#include "compress/methods/encode.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "compress/methods/layer.h"
#include "formats/artifact/error.h"
#include "formats/artifact/half.h"
#include "tests/compress/methods/layer_samples.h"

using namespace lathe;

namespace {

const std::vector<Encoding> kEncodings = {
    {ValueType::f32, Sparsity::dense, 0},    {ValueType::f16, Sparsity::dense, 0},
    {ValueType::bf16, Sparsity::dense, 0},   {ValueType::int8, Sparsity::dense, 0},
    {ValueType::int4, Sparsity::dense, 32},  {ValueType::int4, Sparsity::dense, 5},
    {ValueType::f32, Sparsity::bitmask, 0},  {ValueType::f16, Sparsity::bitmask, 0},
    {ValueType::bf16, Sparsity::bitmask, 0}, {ValueType::int8, Sparsity::bitmask, 0},
    {ValueType::int4, Sparsity::bitmask, 7}, {ValueType::int4, Sparsity::bitmask, 32}};

Matrix snapped(const Matrix& weight, const Grid& grid, const Mask& keep) {
  Matrix out = weight;
  for (size_t r = 0; r < weight.rows; ++r) {
    for (size_t c = 0; c < weight.cols; ++c) {
      float& value = out.row(r)[c];
      value = keep[r * weight.cols + c] != 0 ? grid.snap(r, c, value) : 0.0f;
    }
  }
  return out;
}

double relative_error(const std::vector<float>& a, const std::vector<float>& b) {
  double error = 0;
  double energy = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    error += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
    energy += static_cast<double>(a[i]) * a[i];
  }
  return error / energy;
}

}  // namespace

TEST_CASE("every encoding decodes to exactly the values that were encoded", "[compress][encode]") {
  for (const auto& [rows, cols] : std::vector<std::pair<size_t, size_t>>{{1, 1}, {3, 5}, {7, 1}, {13, 257}}) {
    const Matrix weight = test::random_matrix(rows, cols, rows);
    for (const Encoding& encoding : kEncodings) {
      CAPTURE(rows, cols, encoding_name(encoding));
      const Mask keep = magnitude_mask(weight, encoding.sparsity == Sparsity::dense ? 0.0 : 0.4);
      const Grid grid = choose_grid(weight, encoding, {}, &keep);
      const Matrix values = snapped(weight, grid, keep);
      const EncodedBuffer encoded = encode(values, grid, encoding);
      REQUIRE_NOTHROW(validate(encoded.view(), "w"));
      CHECK(decode(encoded.view()) == values.values);
    }
  }
}

TEST_CASE("the error of rounding stays within what the width of the values allows", "[compress][encode]") {
  const Matrix weight = test::random_matrix(40, 256, 5);
  const auto error_of = [&](ValueType type, uint32_t group) {
    const Encoding encoding{type, Sparsity::dense, group};
    const Mask keep(weight.values.size(), 1);
    const Grid grid = choose_grid(weight, encoding, {}, nullptr);
    return relative_error(weight.values, snapped(weight, grid, keep).values);
  };
  CHECK(error_of(ValueType::f32, 0) == 0);
  CHECK(error_of(ValueType::f16, 0) < 1e-7);
  // A step of 2/n of the largest of uniform weights leaves an error of 1/n^2 of their energy.
  CHECK(error_of(ValueType::int8, 0) < 1.1 / (127.0 * 127.0));
  CHECK(error_of(ValueType::int4, 32) < 1.0 / (7.0 * 7.0));
  CHECK(error_of(ValueType::int4, 32) > 0.1 / (7.0 * 7.0));
}

TEST_CASE("rows of zeros, of the largest and of the smallest numbers have valid scales", "[compress][encode]") {
  Matrix weight(4, 33);
  for (size_t c = 0; c < 33; ++c) {
    weight.row(1)[c] = c % 2 == 0 ? std::numeric_limits<float>::max() : -std::numeric_limits<float>::max();
    weight.row(2)[c] = 1e-44f;
    weight.row(3)[c] = -1e30f;
  }
  for (const Encoding& encoding : kEncodings) {
    CAPTURE(encoding_name(encoding));
    const Grid grid = choose_grid(weight, encoding, {}, nullptr);
    const EncodedBuffer encoded = encode(snapped(weight, grid, Mask(4 * 33, 1)), grid, encoding);
    REQUIRE_NOTHROW(validate(encoded.view(), "w"));
    for (const float value : decode(encoded.view())) REQUIRE(std::isfinite(value));
    if (grid.groups != 0) CHECK(row_scale(encoded.view(), 0) == 1.0f);
  }
}

TEST_CASE("a table is encoded row by row with its error told", "[compress][encode]") {
  const Matrix table = test::random_matrix(50, 48, 7);
  const auto read = [&](size_t row, float* out) { std::copy(table.row(row), table.row(row) + 48, out); };
  for (const Encoding& encoding : kEncodings) {
    CAPTURE(encoding_name(encoding));
    double error = -1;
    const EncodedBuffer encoded = encode_table("t", 50, 48, encoding, read, &error);
    REQUIRE_NOTHROW(validate(encoded.view(), "t"));
    CHECK(error == Approx(relative_error(table.values, decode(encoded.view()))).margin(1e-12));
    CHECK(error < 0.02);
  }
}

TEST_CASE("a table with a value that is not finite is refused by name and place", "[compress][encode]") {
  const auto read = [](size_t row, float* out) {
    std::fill(out, out + 4, 1.0f);
    if (row == 2) out[3] = std::numeric_limits<float>::infinity();
  };
  CHECK_THROWS_WITH(encode_table("words", 5, 4, {ValueType::int8, Sparsity::dense, 0}, read, nullptr),
                    Catch::Contains("words") && Catch::Contains("row 2") && Catch::Contains("column 3"));
}
