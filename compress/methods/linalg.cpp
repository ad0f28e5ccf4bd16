#include "compress/methods/linalg.h"

#include <cblas.h>

#include <algorithm>
#include <cmath>

// LAPACK as OpenBLAS carries it; there is no header for its Fortran interface.
extern "C" {
void dpotrf_(const char* uplo, const int* n, double* a, const int* lda, int* info);
void dtrtri_(const char* uplo, const char* diag, const int* n, double* a, const int* lda, int* info);
void dpotrs_(const char* uplo, const int* n, const int* nrhs, const double* a, const int* lda, double* b,
             const int* ldb, int* info);
void dsyevd_(const char* jobz, const char* uplo, const int* n, double* a, const int* lda, double* w, double* work,
             const int* lwork, int* iwork, const int* liwork, int* info);
void dgeqrf_(const int* m, const int* n, double* a, const int* lda, double* tau, double* work, const int* lwork,
             int* info);
void dorgqr_(const int* m, const int* n, const int* k, double* a, const int* lda, const double* tau, double* work,
             const int* lwork, int* info);
}

namespace lathe {
namespace {

constexpr size_t kRowsAtOnce = 128;

void use_one_thread() { openblas_set_num_threads(1); }

bool all_finite(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

// a = l l^T; l is left in the lower triangle (row-major), which LAPACK calls the upper one.
bool cholesky(size_t n, std::vector<double>& a) {
  const int order = static_cast<int>(n);
  int info = 0;
  dpotrf_("U", &order, a.data(), &order, &info);
  return info == 0 && all_finite(a);
}

}  // namespace

void add_product(size_t m, size_t n, size_t k, float factor, StridedRows a, bool transpose_a, StridedRows b, float* c,
                 size_t c_stride) {
  if (m == 0 || n == 0 || k == 0) return;
  use_one_thread();
  cblas_sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans, CblasNoTrans, static_cast<int>(m),
              static_cast<int>(n), static_cast<int>(k), factor, a.values, static_cast<int>(a.stride), b.values,
              static_cast<int>(b.stride), 1.0f, c, static_cast<int>(c_stride));
}

void add_scaled(size_t count, float factor, const float* from, float* to) {
  cblas_saxpy(static_cast<int>(count), factor, from, 1, to, 1);
}

std::vector<double> product(size_t m, size_t n, size_t k, const std::vector<double>& a, const std::vector<double>& b,
                            bool transpose_b) {
  std::vector<double> c(m * n);
  if (c.empty() || k == 0) return c;
  use_one_thread();
  cblas_dgemm(CblasRowMajor, CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans, static_cast<int>(m),
              static_cast<int>(n), static_cast<int>(k), 1.0, a.data(), static_cast<int>(k), b.data(),
              static_cast<int>(transpose_b ? k : n), 0.0, c.data(), static_cast<int>(n));
  return c;
}

double quadratic_form(const Matrix& e, const std::vector<double>& gram) {
  if (gram.empty()) {
    double sum = 0;
    for (const float value : e.values) sum += static_cast<double>(value) * value;
    return sum;
  }
  use_one_thread();
  const size_t n = e.cols;
  std::vector<double> left;
  std::vector<double> right;
  double sum = 0;
  for (size_t first = 0; first < e.rows; first += kRowsAtOnce) {
    const size_t rows = std::min(kRowsAtOnce, e.rows - first);
    left.assign(e.row(first), e.row(first) + rows * n);
    right = left;
    // One triangle is enough: the form is twice its part of the product less the diagonal's.
    cblas_dtrmm(CblasRowMajor, CblasRight, CblasUpper, CblasNoTrans, CblasNonUnit, static_cast<int>(rows),
                static_cast<int>(n), 1.0, gram.data(), static_cast<int>(n), right.data(), static_cast<int>(n));
    for (size_t r = 0; r < rows; ++r) {
      for (size_t c = 0; c < n; ++c) {
        const double value = left[r * n + c];
        sum += value * (2 * right[r * n + c] - value * gram[c * n + c]);
      }
    }
  }
  return std::isfinite(sum) ? std::max(sum, 0.0) : sum;
}

bool factor_of_inverse(size_t n, std::vector<double>& a) {
  use_one_thread();
  // With rows and columns in reverse order a = v v^T has an upper v, and its inverse is the factor: one Cholesky
  // and one triangular inverse, without ever forming inverse(a).
  std::reverse(a.begin(), a.end());
  if (!cholesky(n, a)) return false;
  const int order = static_cast<int>(n);
  int info = 0;
  dtrtri_("U", "N", &order, a.data(), &order, &info);
  if (info != 0) return false;
  for (size_t i = 0; i < n; ++i) std::fill(a.begin() + i * n + i + 1, a.begin() + (i + 1) * n, 0.0);
  std::reverse(a.begin(), a.end());
  return all_finite(a);
}

bool solve_rows(size_t n, std::vector<double>& a, std::vector<double>& rows) {
  use_one_thread();
  if (!cholesky(n, a)) return false;
  const int order = static_cast<int>(n);
  const int count = static_cast<int>(rows.size() / n);
  int info = 0;
  dpotrs_("U", &order, &count, a.data(), &order, rows.data(), &order, &info);
  return info == 0 && all_finite(rows);
}

bool eigenvectors(size_t n, std::vector<double>& a) {
  use_one_thread();
  const int order = static_cast<int>(n);
  std::vector<double> eigenvalues(n);
  int info = 0;
  const int query = -1;
  double work_size = 0;
  int integer_size = 0;
  dsyevd_("V", "U", &order, a.data(), &order, eigenvalues.data(), &work_size, &query, &integer_size, &query, &info);
  if (info != 0) return false;
  std::vector<double> work(static_cast<size_t>(work_size));
  std::vector<int> integers(static_cast<size_t>(integer_size));
  const int work_count = static_cast<int>(work.size());
  dsyevd_("V", "U", &order, a.data(), &order, eigenvalues.data(), work.data(), &work_count, integers.data(),
          &integer_size, &info);
  if (info != 0 || !all_finite(a)) return false;
  for (size_t i = 0; i < n / 2; ++i) {
    std::swap_ranges(a.begin() + i * n, a.begin() + (i + 1) * n, a.begin() + (n - 1 - i) * n);
  }
  return true;
}

bool orthonormal_columns(size_t rows, size_t cols, std::vector<double>& a) {
  use_one_thread();
  std::vector<double> columns(a.size());
  for (size_t r = 0; r < rows; ++r) {
    for (size_t c = 0; c < cols; ++c) columns[c * rows + r] = a[r * cols + c];
  }
  const int m = static_cast<int>(rows);
  const int n = static_cast<int>(cols);
  std::vector<double> tau(cols);
  std::vector<double> work(std::max<size_t>(64 * cols, 1));
  const int work_size = static_cast<int>(work.size());
  int info = 0;
  dgeqrf_(&m, &n, columns.data(), &m, tau.data(), work.data(), &work_size, &info);
  if (info != 0) return false;
  dorgqr_(&m, &n, &n, columns.data(), &m, tau.data(), work.data(), &work_size, &info);
  if (info != 0 || !all_finite(columns)) return false;
  for (size_t r = 0; r < rows; ++r) {
    for (size_t c = 0; c < cols; ++c) a[r * cols + c] = columns[c * rows + r];
  }
  return true;
}

}  // namespace lathe
