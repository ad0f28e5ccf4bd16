#include <catch2/catch.hpp>
#include <cmath>

#include "compress/methods/layer.h"
#include "formats/artifact/error.h"
#include "tests/compress/methods/layer_samples.h"

using namespace lathe;

namespace {

Matrix multiplied(const LowRank& factors) {
  Matrix out(factors.up.rows, factors.down.cols);
  for (size_t r = 0; r < out.rows; ++r) {
    for (size_t k = 0; k < factors.down.rows; ++k) {
      for (size_t c = 0; c < out.cols; ++c) out.row(r)[c] += factors.up.row(r)[k] * factors.down.row(k)[c];
    }
  }
  return out;
}

double relative_output_error(const Matrix& w, const Matrix& v, const Matrix& x) {
  return test::output_error(w, {}, x, v, {}, x) / test::output_error(w, {}, x, Matrix(w.rows, w.cols), {}, x);
}

}  // namespace

TEST_CASE("factors of full rank give the weight back", "[compress][low_rank]") {
  for (const auto& [rows, cols] : std::vector<std::pair<size_t, size_t>>{{1, 1}, {12, 12}, {9, 30}, {30, 9}}) {
    CAPTURE(rows, cols);
    const Matrix weight = test::random_matrix(rows, cols, 1);
    const InputStatistics statistics = test::statistics_of(test::correlated_inputs(100, cols, 2));
    std::vector<std::string> fallbacks;
    for (const InputStatistics* given : {static_cast<const InputStatistics*>(nullptr), &statistics}) {
      const LowRank factors = factor_low_rank("w", weight, given, std::min(rows, cols), fallbacks);
      const Matrix product = multiplied(factors);
      for (size_t i = 0; i < product.values.size(); ++i) {
        REQUIRE(product.values[i] == Approx(weight.values[i]).margin(1e-5));
      }
      CHECK(factors.relative_loss < 1e-9);
    }
    CHECK(fallbacks.empty());
  }
}

TEST_CASE("knowing the inputs makes the factors better for them, and the loss is what it says",
          "[compress][low_rank]") {
  for (const auto& [rows, cols] : std::vector<std::pair<size_t, size_t>>{{24, 40}, {60, 40}}) {
    const Matrix weight = test::random_matrix(rows, cols, 3);
    const Matrix x = test::correlated_inputs(300, cols, 4);
    const InputStatistics statistics = test::statistics_of(x);
    std::vector<std::string> fallbacks;
    const LowRank plain = factor_low_rank("w", weight, nullptr, 8, fallbacks);
    const LowRank whitened = factor_low_rank("w", weight, &statistics, 8, fallbacks);
    const double plain_error = relative_output_error(weight, multiplied(plain), x);
    const double whitened_error = relative_output_error(weight, multiplied(whitened), x);
    CHECK(whitened_error < 0.5 * plain_error);
    CHECK(whitened.relative_loss == Approx(whitened_error).epsilon(1e-3));
  }
}

TEST_CASE("the loss falls with the rank", "[compress][low_rank]") {
  const Matrix weight = test::random_matrix(16, 20, 5);
  const InputStatistics statistics = test::statistics_of(test::correlated_inputs(200, 20, 6));
  std::vector<std::string> fallbacks;
  double last = 1.0;
  for (size_t rank = 1; rank <= 16; ++rank) {
    const double loss = factor_low_rank("w", weight, &statistics, rank, fallbacks).relative_loss;
    CHECK(loss < last);
    last = loss;
  }
}

TEST_CASE("inputs that say nothing leave plain factors, never a NaN", "[compress][low_rank]") {
  const Matrix weight = test::random_matrix(6, 8, 7);
  std::vector<std::string> fallbacks;
  const InputStatistics silent = test::statistics_of(Matrix(5, 8));
  const InputStatistics one = test::statistics_of(test::correlated_inputs(1, 8, 8));
  for (const InputStatistics* given : {&silent, &one}) {
    const LowRank factors = factor_low_rank("w", weight, given, 3, fallbacks);
    for (const float value : factors.up.values) REQUIRE(std::isfinite(value));
    for (const float value : factors.down.values) REQUIRE(std::isfinite(value));
    CHECK(std::isfinite(factors.relative_loss));
  }
}

TEST_CASE("a rank out of bounds and weights that are not finite are refused", "[compress][low_rank]") {
  Matrix weight = test::random_matrix(6, 8, 9);
  std::vector<std::string> fallbacks;
  CHECK_THROWS_AS(factor_low_rank("w", weight, nullptr, 0, fallbacks), Error);
  CHECK_THROWS_AS(factor_low_rank("w", weight, nullptr, 7, fallbacks), Error);
  weight.values[5] = std::nanf("");
  CHECK_THROWS_WITH(factor_low_rank("w", weight, nullptr, 2, fallbacks), Catch::Contains("index 5"));
}
