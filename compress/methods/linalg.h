#pragma once
// The dense linear algebra of the compressor, on one thread, so that results do not depend on how many there are.
// Matrices are row-major. Square matrices of doubles are std::vector<double> of size n * n.

#include <cstddef>
#include <vector>

#include "compress/methods/matrix.h"

namespace lathe {

/// c[m, n] += factor * a b with a [m, k] and b [k, n], or a stored as [k, m] and used transposed. The strides are the
/// distances between rows.
struct StridedRows {
  const float* values;
  size_t stride;
};
void add_product(size_t m, size_t n, size_t k, float factor, StridedRows a, bool transpose_a, StridedRows b, float* c,
                 size_t c_stride);

/// to[i] += factor * from[i]
void add_scaled(size_t count, float factor, const float* from, float* to);

/// a b, or a b^T: [m, n] from a [m, k] and b [k, n] (or [n, k]).
std::vector<double> product(size_t m, size_t n, size_t k, const std::vector<double>& a, const std::vector<double>& b,
                            bool transpose_b = false);

/// tr(e gram e^T) with e [rows, n] and a symmetric gram; an empty gram is the identity.
double quadratic_form(const Matrix& e, const std::vector<double>& gram);

/// Replaces the symmetric matrix by the upper triangular u with inverse(a) = u^T u; the lower triangle is zero.
/// False, and `a` is spent, when `a` is not positive definite to working precision.
bool factor_of_inverse(size_t n, std::vector<double>& a);

/// Replaces every row r of `rows` by r inverse(a), a symmetric; `a` is spent. False as above.
bool solve_rows(size_t n, std::vector<double>& a, std::vector<double>& rows);

/// Eigenvectors of a symmetric matrix, the largest eigenvalue first, one in each row of the result; false when the
/// iteration does not converge.
bool eigenvectors(size_t n, std::vector<double>& a);

/// Orthonormal q [rows, cols] with the same column space as a [rows, cols], rows >= cols.
bool orthonormal_columns(size_t rows, size_t cols, std::vector<double>& a);

}  // namespace lathe
