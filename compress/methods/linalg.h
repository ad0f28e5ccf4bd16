#pragma once
// Dense linear algebra: the project's row-major data as Eigen sees it, and the decompositions that several methods use.
// OpenBLAS computes Eigen's large products and triangular solves (EIGEN_USE_BLAS), and the decompositions through
// LAPACKE, because Eigen's own eigenvectors and inverse factors are slower.

#include <Eigen/Core>
#include <optional>
#include <type_traits>
#include <vector>

#include "compress/methods/matrix.h"

namespace lathe {

template <class T>
using RowMajor = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using DoubleMatrix = RowMajor<double>;
using DoubleMatrixRef = Eigen::Ref<DoubleMatrix>;

/// A row-major matrix whose values belong to someone else. The outer stride is the distance between two rows.
template <class T>
using MatrixView =
    Eigen::Map<std::conditional_t<std::is_const_v<T>, const RowMajor<std::remove_const_t<T>>, RowMajor<T>>,
               Eigen::Unaligned, Eigen::OuterStride<>>;

/// OpenBLAS rounds differently with another number of threads, so it has to use one whenever results reach an artifact.
/// Every function below that makes a view sees to it. Any thread may call it.
void use_one_blas_thread();

template <class T>
MatrixView<T> view(T* values, size_t rows, size_t cols, size_t stride) {
  use_one_blas_thread();
  const auto size = [](size_t count) { return static_cast<Eigen::Index>(count); };
  return MatrixView<T>(values, size(rows), size(cols), Eigen::OuterStride<>(size(stride)));
}
template <class T>
MatrixView<T> view(T* values, size_t rows, size_t cols) {
  return view(values, rows, cols, cols);
}
inline MatrixView<float> view(Matrix& matrix) { return view(matrix.values.data(), matrix.rows, matrix.cols); }
inline MatrixView<const float> view(const Matrix& matrix) {
  return view(matrix.values.data(), matrix.rows, matrix.cols);
}

/// Square matrices of doubles are kept as [n, n] values, such as the second moments of a layer's n inputs.
inline MatrixView<double> square(std::vector<double>& values, size_t n) { return view(values.data(), n, n); }
inline MatrixView<const double> square(const std::vector<double>& values, size_t n) {
  return view(values.data(), n, n);
}

/// A column vector whose values belong to someone else.
inline Eigen::Map<const Eigen::VectorXd> vector_view(const std::vector<double>& values) {
  use_one_blas_thread();
  return {values.data(), static_cast<Eigen::Index>(values.size())};
}

/// Adds factor * from to `to`, both of `count` values. OpenBLAS is twice as fast here as Eigen's loops are without AVX.
void add_scaled(size_t count, float factor, const float* from, float* to);

/// tr(e gram e^T) with e [rows, n] and a symmetric gram [n, n]; an empty gram stands for the identity.
double quadratic_form(const Matrix& e, const std::vector<double>& gram);

/// Replaces the symmetric matrix `a` by the upper triangular u with inverse(a) = u^T u; the lower triangle is zero.
/// Returns false when `a` is not positive definite to working precision; its values are then undefined.
bool factor_of_inverse(DoubleMatrixRef a);

/// Replaces every row r of `rows` by r inverse(a). `a` is symmetric, and its values are undefined afterwards. Returns
/// false when `a` is not positive definite to working precision; both are then undefined.
bool solve_rows(DoubleMatrixRef a, DoubleMatrixRef rows);

/// Eigenvectors of a symmetric matrix, one in each row, the one with the largest eigenvalue first. Empty when the
/// iteration does not converge, as with values that are not finite.
std::optional<DoubleMatrix> eigenvectors(const DoubleMatrix& a);

/// Orthonormal columns q [rows, cols] that span the same space as the columns of a [rows, cols], where rows >= cols.
/// Empty when values are not finite.
std::optional<DoubleMatrix> orthonormal_columns(const DoubleMatrix& a);

}  // namespace lathe
