#include "compress/methods/linalg.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "tests/compress/methods/layer_samples.h"

using namespace lathe;

namespace {

std::vector<double> positive_definite(size_t n, uint64_t seed) {
  return test::statistics_of(test::correlated_inputs(3 * n + 5, n, seed)).gram;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double largest = a.size() == b.size() ? 0.0 : 1e9;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

std::vector<double> identity(size_t n) {
  std::vector<double> out(n * n, 0.0);
  for (size_t i = 0; i < n; ++i) out[i * n + i] = 1;
  return out;
}

std::vector<double> transposed(size_t rows, size_t cols, const std::vector<double>& a) {
  std::vector<double> out(a.size());
  for (size_t r = 0; r < rows; ++r) {
    for (size_t c = 0; c < cols; ++c) out[c * rows + r] = a[r * cols + c];
  }
  return out;
}

}  // namespace

TEST_CASE("products agree with the definition, also with strides and transposed", "[compress][linalg]") {
  const Matrix a = test::random_matrix(5, 9, 1);  // [k, m] with stride 9, of which 4 columns are used
  const Matrix b = test::random_matrix(5, 7, 2);
  Matrix c = test::random_matrix(4, 8, 3);
  const Matrix before = c;
  add_product(4, 7, 5, -2.0f, {a.values.data(), 9}, true, {b.values.data(), 7}, c.values.data(), 8);
  for (size_t i = 0; i < 4; ++i) {
    for (size_t j = 0; j < 8; ++j) {
      double expected = before.row(i)[j];
      for (size_t k = 0; k < 5 && j < 7; ++k) expected -= 2.0 * a.row(k)[i] * b.row(k)[j];
      CHECK(c.row(i)[j] == Approx(expected).margin(1e-5));
    }
  }
}

TEST_CASE("the factor of the inverse is upper triangular and multiplies to the inverse", "[compress][linalg]") {
  for (const size_t n : {1u, 2u, 37u, 130u}) {
    const std::vector<double> h = positive_definite(n, n);
    std::vector<double> u = h;
    REQUIRE(factor_of_inverse(n, u));
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < i; ++j) REQUIRE(u[i * n + j] == 0);
    }
    const auto inverse = product(n, n, n, transposed(n, n, u), u);
    CHECK(largest_difference(product(n, n, n, h, inverse), identity(n)) < 1e-8);
  }
}

TEST_CASE("what is not positive definite has no factor and no solution", "[compress][linalg]") {
  for (const auto& bad : {std::vector<double>{1, 2, 2, 1}, std::vector<double>{0, 0, 0, 0},
                          std::vector<double>{1, std::nan(""), std::nan(""), 1}}) {
    std::vector<double> a = bad;
    CHECK_FALSE(factor_of_inverse(2, a));
    a = bad;
    std::vector<double> rows = {1, 2};
    CHECK_FALSE(solve_rows(2, a, rows));
  }
}

TEST_CASE("rows are solved against a symmetric matrix", "[compress][linalg]") {
  const size_t n = 19;
  const std::vector<double> h = positive_definite(n, 4);
  const Matrix wanted = test::random_matrix(3, n, 5);
  const std::vector<double> expected(wanted.values.begin(), wanted.values.end());
  std::vector<double> rows = product(3, n, n, expected, h);
  std::vector<double> spent = h;
  REQUIRE(solve_rows(n, spent, rows));
  CHECK(largest_difference(rows, expected) < 1e-9);
}

TEST_CASE("the quadratic form is the error of outputs over all tokens", "[compress][linalg]") {
  const Matrix x = test::correlated_inputs(50, 21, 6);
  const Matrix e = test::random_matrix(140, 21, 7);
  const double expected = test::output_error(e, {}, x, Matrix(140, 21), {}, x) * 50;
  CHECK(quadratic_form(e, test::statistics_of(x).gram) == Approx(expected).epsilon(1e-10));
  double square = 0;
  for (const float value : e.values) square += static_cast<double>(value) * value;
  CHECK(quadratic_form(e, {}) == Approx(square));
}

TEST_CASE("eigenvectors are orthonormal and sorted by eigenvalue", "[compress][linalg]") {
  const size_t n = 23;
  const std::vector<double> a = positive_definite(n, 8);
  std::vector<double> v = a;
  REQUIRE(eigenvectors(n, v));
  CHECK(largest_difference(product(n, n, n, v, v, true), identity(n)) < 1e-10);
  const auto diagonalised = product(n, n, n, product(n, n, n, v, a), v, true);
  for (size_t i = 0; i + 1 < n; ++i) {
    CHECK(diagonalised[i * n + i] >= diagonalised[(i + 1) * n + i + 1] - 1e-9);
    CHECK(std::abs(diagonalised[i * n + i + 1]) < 1e-8);
  }
}

TEST_CASE("an orthonormal basis spans the columns it came from", "[compress][linalg]") {
  const Matrix tall = test::random_matrix(17, 5, 9);
  const std::vector<double> a(tall.values.begin(), tall.values.end());
  std::vector<double> q = a;
  REQUIRE(orthonormal_columns(17, 5, q));
  const auto qt = transposed(17, 5, q);
  CHECK(largest_difference(product(5, 5, 17, qt, q), identity(5)) < 1e-12);
  CHECK(largest_difference(product(17, 5, 5, q, product(5, 5, 17, qt, a)), a) < 1e-12);
}
