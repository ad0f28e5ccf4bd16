#include "compress/methods/linalg.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "tests/compress/methods/layer_samples.h"

using namespace lathe;

namespace {

DoubleMatrix positive_definite(size_t n, uint64_t seed) {
  return square(test::statistics_of(test::correlated_inputs(3 * n + 5, n, seed)).gram, n);
}

double largest_difference(const DoubleMatrix& a, const DoubleMatrix& b) { return (a - b).cwiseAbs().maxCoeff(); }

DoubleMatrix identity(size_t n) {
  const auto size = static_cast<Eigen::Index>(n);
  return DoubleMatrix::Identity(size, size);
}

}  // namespace

TEST_CASE("views with strides address the values they were made of", "[compress][linalg]") {
  const Matrix a = test::random_matrix(5, 9, 1);  // [k, m] with stride 9, of which 4 columns are used
  const Matrix b = test::random_matrix(5, 7, 2);
  Matrix c = test::random_matrix(4, 8, 3);
  const Matrix before = c;
  view(c.values.data(), 4, 7, 8).noalias() -= 2.0f * view(a.values.data(), 5, 4, 9).transpose() * view(b);
  for (size_t i = 0; i < 4; ++i) {
    for (size_t j = 0; j < 8; ++j) {
      double expected = before.row(i)[j];
      for (size_t k = 0; k < 5 && j < 7; ++k) expected -= 2.0 * a.row(k)[i] * b.row(k)[j];
      CHECK(c.row(i)[j] == Approx(expected).margin(1e-5));
    }
  }
}

TEST_CASE("the factor of the inverse is upper triangular and multiplies to the inverse", "[compress][linalg]") {
  for (const size_t n : {1u, 2u, 37u, 130u, 257u}) {
    const DoubleMatrix h = positive_definite(n, n);
    DoubleMatrix u = h;
    REQUIRE(factor_of_inverse(u));
    CHECK(u.isUpperTriangular(0));
    CHECK((u.diagonal().array() > 0).all());
    CHECK(largest_difference(h * u.transpose() * u, identity(n)) < 1e-8);
  }
}

TEST_CASE("what is not positive definite has no factor and no solution", "[compress][linalg]") {
  for (const auto& bad : {std::vector<double>{1, 2, 2, 1}, std::vector<double>{0, 0, 0, 0},
                          std::vector<double>{1, std::nan(""), std::nan(""), 1}}) {
    DoubleMatrix a = square(bad, 2);
    CHECK_FALSE(factor_of_inverse(a));
    a = square(bad, 2);
    DoubleMatrix rows = DoubleMatrix::Ones(1, 2);
    CHECK_FALSE(solve_rows(a, rows));
  }
}

TEST_CASE("rows are solved against a symmetric matrix", "[compress][linalg]") {
  const size_t n = 190;
  const DoubleMatrix h = positive_definite(n, 4);
  const DoubleMatrix expected = view(test::random_matrix(3, n, 5)).cast<double>();
  DoubleMatrix rows = expected * h;
  DoubleMatrix spent = h;
  REQUIRE(solve_rows(spent, rows));
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
  const DoubleMatrix a = positive_definite(n, 8);
  const std::optional<DoubleMatrix> v = eigenvectors(a);
  REQUIRE(v);
  CHECK(largest_difference(*v * v->transpose(), identity(n)) < 1e-10);
  const DoubleMatrix diagonalised = *v * a * v->transpose();
  for (Eigen::Index i = 0; i + 1 < diagonalised.rows(); ++i) {
    CHECK(diagonalised(i, i) >= diagonalised(i + 1, i + 1) - 1e-9);
    CHECK(std::abs(diagonalised(i, i + 1)) < 1e-8);
  }
  CHECK_FALSE(eigenvectors(DoubleMatrix::Constant(3, 3, std::nan(""))));
}

TEST_CASE("an orthonormal basis spans the columns it came from", "[compress][linalg]") {
  const DoubleMatrix a = view(test::random_matrix(17, 5, 9)).cast<double>();
  const std::optional<DoubleMatrix> q = orthonormal_columns(a);
  REQUIRE(q);
  CHECK(largest_difference(q->transpose() * *q, identity(5)) < 1e-12);
  CHECK(largest_difference(*q * (q->transpose() * a), a) < 1e-12);
}
