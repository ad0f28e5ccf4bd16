#include "compress/methods/linalg.h"

#include <cblas.h>

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <Eigen/QR>
#include <algorithm>
#include <cmath>

namespace lathe {
namespace {

constexpr Eigen::Index kRowsAtOnce = 128;
constexpr Eigen::Index kSmallTriangle = 64;  // solved as it is; larger ones are split in halves

// Leaves l with a = l l^T in the lower triangle; what is above it stays.
bool cholesky(DoubleMatrixRef a) {
  const Eigen::LLT<DoubleMatrixRef> factor(a);
  return factor.info() == Eigen::Success && a.allFinite();
}

// Replaces a lower triangular matrix by its inverse, half by half: with c in the lower left corner,
// inverse([a 0; c b]) = [inverse(a) 0; -inverse(b) c inverse(a), inverse(b)]. Nothing above the diagonal is touched.
void invert_lower_triangle(DoubleMatrixRef l) {
  const Eigen::Index n = l.rows();
  if (n <= kSmallTriangle) {
    const DoubleMatrix inverse = l.triangularView<Eigen::Lower>().solve(DoubleMatrix::Identity(n, n));
    l.triangularView<Eigen::Lower>() = inverse;
    return;
  }
  const Eigen::Index first = n / 2;
  const Eigen::Index second = n - first;
  invert_lower_triangle(l.topLeftCorner(first, first));
  invert_lower_triangle(l.bottomRightCorner(second, second));
  auto corner = l.bottomLeftCorner(second, first);
  const DoubleMatrix right = corner * l.topLeftCorner(first, first).triangularView<Eigen::Lower>();
  corner.noalias() = l.bottomRightCorner(second, second).triangularView<Eigen::Lower>() * -right;
}

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
  a.reverseInPlace();
  if (!cholesky(a)) return false;
  invert_lower_triangle(a);
  a.triangularView<Eigen::StrictlyUpper>().setZero();
  a.reverseInPlace();
  return a.allFinite();
}

bool solve_rows(DoubleMatrixRef a, DoubleMatrixRef rows) {
  use_one_blas_thread();
  Eigen::Ref<Eigen::MatrixXd> columns = a.transpose();  // the same matrix, in the order in which Eigen is faster
  const Eigen::LLT<Eigen::Ref<Eigen::MatrixXd>> factor(columns);
  if (factor.info() != Eigen::Success || !a.allFinite()) return false;
  factor.solveInPlace(rows.transpose());
  return rows.allFinite();
}

std::optional<DoubleMatrix> eigenvectors(const DoubleMatrix& a) {
  use_one_blas_thread();
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(a);
  if (solver.info() != Eigen::Success || !solver.eigenvectors().allFinite()) return std::nullopt;
  return solver.eigenvectors().rowwise().reverse().transpose();
}

std::optional<DoubleMatrix> orthonormal_columns(const DoubleMatrix& a) {
  use_one_blas_thread();
  const Eigen::HouseholderQR<Eigen::MatrixXd> factor(a);
  DoubleMatrix q = factor.householderQ() * Eigen::MatrixXd::Identity(a.rows(), a.cols());
  if (!q.allFinite()) return std::nullopt;
  return q;
}

}  // namespace lathe
