#include "compress/methods/error_feedback.h"

#include <algorithm>
#include <numeric>

#include "compress/methods/linalg.h"

namespace lathe {
namespace {

constexpr size_t kBlock = 128;  // columns whose mask is chosen together; later columns are updated once a block
constexpr size_t kInner =
    16;  // columns that are updated one by one; the rest of the block follows once for all of them

std::vector<size_t> column_order(const ErrorFeedbackProblem& problem) {
  const size_t n = problem.target.cols;
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  if (problem.order == ColumnOrder::by_energy) {
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return problem.gram[a * n + a] > problem.gram[b * n + b]; });
  }
  return order;
}

// Works on the transposed matrix, so that a column of the weight, over which the inner loops run, is contiguous.
class Feedback {
 public:
  Feedback(const ErrorFeedbackProblem& problem, std::vector<size_t> order)
      : problem_(problem), order_(std::move(order)), rows_(problem.target.rows), cols_(problem.target.cols) {}

  bool factor() {
    DoubleMatrix gram = square(problem_.gram, cols_)(order_, order_);
    if (!factor_of_inverse(gram)) return false;
    factor_.assign(gram.data(), gram.data() + gram.size());
    return true;
  }

  Candidate run() {
    work_.resize(cols_ * rows_);
    keep_.assign(cols_ * rows_, 1);
    for (size_t i = 0; i < cols_; ++i) {
      for (size_t r = 0; r < rows_; ++r) {
        work_[i * rows_ + r] = problem_.target.row(r)[order_[i]];
        if (problem_.keep != nullptr) keep_[i * rows_ + r] = (*problem_.keep)[r * cols_ + order_[i]];
      }
    }
    const std::vector<uint64_t> shares = block_shares();
    errors_.resize(kBlock * rows_);
    for (size_t first = 0; first < cols_; first += kBlock) {
      const size_t end = std::min(first + kBlock, cols_);
      choose_mask(first, end, shares[first / kBlock]);
      settle_block(first, end);
    }
    return result();
  }

 private:
  // The number of weights that each block loses. It is found by comparing all weights of the matrix at once, by the
  // error that removing each one alone would leave after all others have made up for it.
  std::vector<uint64_t> block_shares() const {
    std::vector<uint64_t> shares((cols_ + kBlock - 1) / kBlock, 0);
    if (problem_.keep != nullptr || problem_.pruned == 0) return shares;
    std::vector<double> inverse_diagonal(cols_, 0.0);
    for (size_t i = 0; i < cols_; ++i) {
      for (size_t j = i; j < cols_; ++j) {
        const double u = factor_[i * cols_ + j];
        inverse_diagonal[j] += u * u;
      }
    }
    std::vector<float> scores(work_.size());
    for (size_t i = 0; i < cols_; ++i) {
      const auto weight = static_cast<float>(1.0 / inverse_diagonal[i]);
      for (size_t r = 0; r < rows_; ++r) scores[i * rows_ + r] = work_[i * rows_ + r] * work_[i * rows_ + r] * weight;
    }
    Mask keep(scores.size(), 1);
    drop_smallest(scores, problem_.pruned, keep.data());
    for (size_t i = 0; i < keep.size(); ++i) shares[i / (kBlock * rows_)] += keep[i] == 0 ? 1 : 0;
    return shares;
  }

  void choose_mask(size_t first, size_t end, uint64_t count) {
    if (count == 0) return;
    std::vector<float> scores((end - first) * rows_);
    for (size_t i = first; i < end; ++i) {
      const float u = factor_[i * cols_ + i];
      for (size_t r = 0; r < rows_; ++r) {
        const float scaled = work_[i * rows_ + r] / u;
        scores[(i - first) * rows_ + r] = scaled * scaled;
      }
    }
    drop_smallest(scores, count, keep_.data() + first * rows_);
  }

  void settle_block(size_t first, size_t end) {
    for (size_t inner = first; inner < end; inner += kInner) {
      const size_t inner_end = std::min(inner + kInner, end);
      for (size_t i = inner; i < inner_end; ++i) {
        float* error = errors_.data() + (i - first) * rows_;
        settle_column(i, error);
        for (size_t later = i + 1; later < inner_end; ++later) {
          const float u = factor_[i * cols_ + later];
          float* to = work_.data() + later * rows_;
          for (size_t r = 0; r < rows_; ++r) to[r] -= u * error[r];
        }
      }
      pass_on(inner, inner_end, inner_end, end, errors_.data() + (inner - first) * rows_);
    }
    pass_on(first, end, end, cols_, errors_.data());
  }

  // Rounds column i in place and writes its error, divided by the factor's diagonal, to `error`.
  void settle_column(size_t i, float* error) {
    float* column = work_.data() + i * rows_;
    const uint8_t* keep = keep_.data() + i * rows_;
    problem_.grid.snap_column(order_[i], column, error);
    const float inverse = 1.0f / factor_[i * cols_ + i];
    for (size_t r = 0; r < rows_; ++r) {
      const float settled = keep[r] != 0 ? error[r] : 0.0f;
      error[r] = (column[r] - settled) * inverse;
      column[r] = settled;
    }
  }

  // Columns [to, to_end) make up for the errors of the columns [from, from_end).
  void pass_on(size_t from, size_t from_end, size_t to, size_t to_end, const float* errors) {
    view(work_.data() + to * rows_, to_end - to, rows_).noalias() -=
        view(factor_.data() + from * cols_ + to, from_end - from, to_end - to, cols_).transpose() *
        view(errors, from_end - from, rows_);
  }

  Candidate result() const {
    Candidate out{Matrix(rows_, cols_), Mask(rows_ * cols_)};
    for (size_t i = 0; i < cols_; ++i) {
      for (size_t r = 0; r < rows_; ++r) {
        out.values.row(r)[order_[i]] = work_[i * rows_ + r];
        out.keep[r * cols_ + order_[i]] = keep_[i * rows_ + r];
      }
    }
    return out;
  }

  const ErrorFeedbackProblem& problem_;
  std::vector<size_t> order_;
  size_t rows_;
  size_t cols_;
  std::vector<float> factor_;  // upper triangular, [cols, cols], in processing order
  std::vector<float> work_;    // [cols, rows]
  Mask keep_;                  // [cols, rows]
  std::vector<float> errors_;  // [kBlock, rows]
};

}  // namespace

std::optional<Candidate> run_error_feedback(const ErrorFeedbackProblem& problem) {
  Feedback feedback(problem, column_order(problem));
  if (!feedback.factor()) return std::nullopt;
  return feedback.run();
}

}  // namespace lathe
