#include "compress/methods/linalg.h"

#include <cblas.h>
#include <lapacke.h>

#include <algorithm>
#include <cmath>

namespace lathe {
namespace {

constexpr Eigen::Index kRowsAtOnce = 128;

// LAPACK's matrices stand column by column, so it sees the transpose of a row-major one: a symmetric matrix is itself,
// and the lower triangle is called the upper one.
constexpr char kLowerTriangle = 'U';

lapack_int count(Eigen::Index value) { return static_cast<lapack_int>(value); }
lapack_int stride(const DoubleMatrixRef& a) { return count(a.outerStride()); }

}  // namespace

void use_one_blas_thread() { openblas_set_num_threads(1); }

void add_scaled(size_t count, float factor, const float* from, float* to) {
  cblas_saxpy(static_cast<int>(count), factor, from, 1, to, 1);
}

double quadratic_form(const Matrix& e, const std::vector<double>& gram) {
  if (gram.empty()) return view(e).cast<double>().squaredNorm();
  const auto moments = square(gram, e.cols);
  double sum = 0;
  for (Eigen::Index first = 0; first < view(e).rows(); first += kRowsAtOnce) {
    const Eigen::Index count = std::min(kRowsAtOnce, view(e).rows() - first);
    const DoubleMatrix rows = view(e).middleRows(first, count).cast<double>();
    // One triangle is enough: the form is twice its part of the product less the diagonal's.
    const DoubleMatrix half = rows * moments.triangularView<Eigen::Upper>();
    sum += 2 * half.cwiseProduct(rows).sum() - rows.colwise().squaredNorm().dot(moments.diagonal());
  }
  return std::isfinite(sum) ? std::max(sum, 0.0) : sum;
}

bool factor_of_inverse(DoubleMatrixRef a) {
  use_one_blas_thread();
  // With rows and columns in reverse order the factor of `a` itself is upper triangular, and its inverse is u: one
  // Cholesky factorization and the inverse of a triangle, without inverse(a) ever being formed.
  const lapack_int n = count(a.rows());
  a.reverseInPlace();
  if (LAPACKE_dpotrf(LAPACK_COL_MAJOR, kLowerTriangle, n, a.data(), stride(a)) != 0) return false;
  if (LAPACKE_dtrtri(LAPACK_COL_MAJOR, kLowerTriangle, 'N', n, a.data(), stride(a)) != 0) return false;
  a.triangularView<Eigen::StrictlyUpper>().setZero();
  a.reverseInPlace();
  return a.allFinite();
}

bool solve_rows(DoubleMatrixRef a, DoubleMatrixRef rows) {
  use_one_blas_thread();
  const lapack_int n = count(a.rows());
  const lapack_int status = LAPACKE_dposv(LAPACK_COL_MAJOR, kLowerTriangle, n, count(rows.rows()), a.data(), stride(a),
                                          rows.data(), stride(rows));
  return status == 0 && rows.allFinite();
}

std::optional<DoubleMatrix> eigenvectors(const DoubleMatrix& a) {
  use_one_blas_thread();
  if (!a.allFinite()) return std::nullopt;
  DoubleMatrix vectors = a;
  Eigen::VectorXd values(a.rows());
  const lapack_int n = count(a.rows());
  if (LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', kLowerTriangle, n, vectors.data(), n, values.data()) != 0) {
    return std::nullopt;
  }
  return vectors.colwise().reverse();
}

std::optional<DoubleMatrix> orthonormal_columns(const DoubleMatrix& a) {
  use_one_blas_thread();
  Eigen::MatrixXd q = a;
  Eigen::VectorXd reflectors(a.cols());
  const lapack_int rows = count(a.rows());
  const lapack_int cols = count(a.cols());
  if (LAPACKE_dgeqrf(LAPACK_COL_MAJOR, rows, cols, q.data(), rows, reflectors.data()) != 0 ||
      LAPACKE_dorgqr(LAPACK_COL_MAJOR, rows, cols, cols, q.data(), rows, reflectors.data()) != 0 || !q.allFinite()) {
    return std::nullopt;
  }
  return q;
}

}  // namespace lathe
