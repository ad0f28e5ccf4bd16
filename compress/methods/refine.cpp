#include "compress/methods/refine.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "compress/methods/linalg.h"

namespace lathe {
namespace {

constexpr size_t kBlock = 128;  // columns whose moves reach the rest of the matrix together
constexpr size_t kInner = 16;   // columns whose moves reach the rest of their block together
constexpr size_t kRows = 16;    // rows copied at once from the transposed matrices: a cache line of floats

// Swaps within one row: the weight whose removal costs least is removed, and the pruned weight that then lowers the
// error most is kept instead.
class RowSwaps {
 public:
  explicit RowSwaps(const DescentProblem& problem)
      : problem_(problem), cols_(problem.target.cols), diagonal_(cols_), trial_(cols_) {
    for (size_t c = 0; c < cols_; ++c) diagonal_[c] = problem.gram[c * cols_ + c];
  }

  void run(size_t row, float* values, uint8_t* keep, float* gradient) {
    for (size_t swaps = 0; swaps < cols_ / kLeastShare; ++swaps) {
      const size_t out = cheapest_to_drop(values, keep, gradient);
      if (out == cols_) return;
      const float removed = values[out];
      const float cost = removed * (diagonal_[out] * removed - 2 * gradient[out]);
      std::copy(gradient, gradient + cols_, trial_.begin());
      add_scaled(cols_, -removed, problem_.gram.data() + out * cols_, trial_.data());
      const size_t in = best_to_revive(keep, out);
      if (in == cols_) return;
      const float value = problem_.grid.snap(row, in, -trial_[in] / diagonal_[in]);
      const float gain = -value * (diagonal_[in] * value + 2 * trial_[in]);
      if (value == 0 || !(gain - cost > kLeastGain * std::max(cost, 0.0f))) return;
      keep[out] = 0;
      values[out] = 0;
      keep[in] = 1;
      values[in] = value;
      add_scaled(cols_, value, problem_.gram.data() + in * cols_, trial_.data());
      std::copy(trial_.begin(), trial_.end(), gradient);
    }
  }

 private:
  static constexpr size_t kLeastShare = 4;    // one swap for every four columns at most
  static constexpr float kLeastGain = 1e-3f;  // relative to the cost; rounding errors could undo smaller gains for ever

  size_t cheapest_to_drop(const float* values, const uint8_t* keep, const float* gradient) const {
    size_t best = cols_;
    float least = std::numeric_limits<float>::infinity();
    for (size_t c = 0; c < cols_; ++c) {
      const float cost = values[c] * (diagonal_[c] * values[c] - 2 * gradient[c]);
      if (keep[c] != 0 && cost < least) {
        least = cost;
        best = c;
      }
    }
    return best;
  }

  size_t best_to_revive(const uint8_t* keep, size_t except) const {
    size_t best = cols_;
    float most = 0;
    for (size_t c = 0; c < cols_; ++c) {
      const float gain = trial_[c] * trial_[c] / diagonal_[c];
      if (keep[c] == 0 && c != except && gain > most) {
        most = gain;
        best = c;
      }
    }
    return best;
  }

  const DescentProblem& problem_;
  size_t cols_;
  std::vector<float> diagonal_;
  std::vector<float> trial_;
};

// Keeps values, mask and gradient transposed, so that a column of the weight is contiguous.
class Descent {
 public:
  Descent(const DescentProblem& problem, const Candidate& start)
      : problem_(problem),
        rows_(problem.target.rows),
        cols_(problem.target.cols),
        gram_(problem.gram.data()),
        values_(rows_ * cols_),
        keep_(rows_ * cols_),
        gradient_(rows_ * cols_),
        moves_(kBlock * rows_),
        wanted_(rows_) {
    std::vector<float> difference(rows_ * cols_);
    for_each_tile([&](size_t row, size_t col, size_t at) {
      values_[at] = start.values.row(row)[col];
      keep_[at] = start.keep[row * cols_ + col];
      difference[at] = values_[at] - problem_.target.row(row)[col];
    });
    view(gradient_.data(), cols_, rows_).noalias() =
        view(gram_, cols_, cols_) * view(std::as_const(difference).data(), cols_, rows_);
  }

  // Moves every weight in turn to the best value of its grid while all others stay.
  void sweep() {
    for (size_t first = 0; first < cols_; first += kBlock) {
      const size_t end = std::min(first + kBlock, cols_);
      for (size_t inner = first; inner < end; inner += kInner) {
        const size_t inner_end = std::min(inner + kInner, end);
        for (size_t i = inner; i < inner_end; ++i) move_column(i, moves_.data() + (i - first) * rows_, inner_end);
        pass_on(inner, inner_end, inner_end, end, moves_.data() + (inner - first) * rows_);
      }
      // Inside the block, the gradient of later columns has followed every move; that of earlier ones has not.
      for (size_t inner = first; inner < end; inner += kInner) {
        const size_t inner_end = std::min(inner + kInner, end);
        catch_up(first, inner, inner_end);
      }
      pass_on(first, end, 0, first, moves_.data());
      pass_on(first, end, end, cols_, moves_.data());
    }
  }

  void swap_pass() {
    RowSwaps swaps(problem_);
    std::vector<float> values(kRows * cols_);
    std::vector<float> gradient(kRows * cols_);
    Mask keep(kRows * cols_);
    for (size_t first = 0; first < rows_; first += kRows) {
      const size_t count = std::min(kRows, rows_ - first);
      for (size_t c = 0; c < cols_; ++c) {
        for (size_t r = 0; r < count; ++r) {
          values[r * cols_ + c] = values_[c * rows_ + first + r];
          gradient[r * cols_ + c] = gradient_[c * rows_ + first + r];
          keep[r * cols_ + c] = keep_[c * rows_ + first + r];
        }
      }
      for (size_t r = 0; r < count; ++r) {
        swaps.run(first + r, values.data() + r * cols_, keep.data() + r * cols_, gradient.data() + r * cols_);
      }
      for (size_t c = 0; c < cols_; ++c) {
        for (size_t r = 0; r < count; ++r) {
          values_[c * rows_ + first + r] = values[r * cols_ + c];
          gradient_[c * rows_ + first + r] = gradient[r * cols_ + c];
          keep_[c * rows_ + first + r] = keep[r * cols_ + c];
        }
      }
    }
  }

  // Removes kept weights that are zero from the mask and keeps as many others instead, in any row: those that lower the
  // error most.
  void use_idle_places() {
    std::vector<std::pair<float, size_t>> gains;  // of every weight that is not kept
    uint64_t idle = 0;
    for (size_t c = 0; c < cols_; ++c) {
      for (size_t r = 0; r < rows_; ++r) {
        const size_t at = c * rows_ + r;
        if (keep_[at] != 0 && values_[at] == 0) ++idle;
        if (keep_[at] == 0) gains.emplace_back(-gain_of_best(r, c), at);
        keep_[at] = values_[at] != 0 ? 1 : 0;
      }
    }
    const auto middle = gains.begin() + static_cast<ptrdiff_t>(std::min<uint64_t>(kTries * idle, gains.size()));
    std::partial_sort(gains.begin(), middle, gains.end());
    for (auto gain = gains.begin(); gain != middle && idle > 0; ++gain) {
      const size_t col = gain->second / rows_;
      const size_t row = gain->second % rows_;
      if (!(gain_of_best(row, col) > 0)) continue;
      const float value = best_value(row, col);
      values_[gain->second] = value;
      keep_[gain->second] = 1;
      for (size_t c = 0; c < cols_; ++c) gradient_[c * rows_ + row] += value * gram_[col * cols_ + c];
      --idle;
    }
  }

  void write(Candidate& to) const {
    for_each_tile([&](size_t row, size_t col, size_t at) {
      to.values.row(row)[col] = values_[at];
      to.keep[row * cols_ + col] = keep_[at];
    });
  }

 private:
  static constexpr uint64_t kTries = 4;  // pruned weights that are tried for each kept weight that is zero

  // The best value for a weight that is zero, and by how much it would lower the error.
  float best_value(size_t row, size_t col) const {
    return problem_.grid.snap(row, col, -gradient_[col * rows_ + row] / gram_[col * cols_ + col]);
  }
  float gain_of_best(size_t row, size_t col) const {
    const float value = best_value(row, col);
    return -value * (gram_[col * cols_ + col] * value + 2 * gradient_[col * rows_ + row]);
  }

  // Calls visit(row, column, index in the transposed matrix) for every weight, in tiles that fit the cache in both
  // layouts.
  template <class Visit>
  void for_each_tile(const Visit& visit) const {
    for (size_t first = 0; first < rows_; first += kRows) {
      const size_t end = std::min(first + kRows, rows_);
      for (size_t c = 0; c < cols_; ++c) {
        for (size_t r = first; r < end; ++r) visit(r, c, c * rows_ + r);
      }
    }
  }

  // Moves column i and brings the gradient of the columns after it, up to `end`, up to date.
  void move_column(size_t i, float* move, size_t end) {
    float* value = values_.data() + i * rows_;
    const uint8_t* keep = keep_.data() + i * rows_;
    const float* slope = gradient_.data() + i * rows_;
    const float inverse = 1.0f / gram_[i * cols_ + i];
    for (size_t r = 0; r < rows_; ++r) wanted_[r] = value[r] - slope[r] * inverse;
    problem_.grid.snap_column(i, wanted_.data(), move);
    for (size_t r = 0; r < rows_; ++r) {
      const float next = keep[r] != 0 ? move[r] : 0.0f;
      move[r] = next - value[r];
      value[r] = next;
    }
    for (size_t later = i + 1; later < end; ++later) add_move(i, later, move);
  }

  void add_move(size_t from, size_t to, const float* move) {
    const float g = gram_[from * cols_ + to];
    float* gradient = gradient_.data() + to * rows_;
    for (size_t r = 0; r < rows_; ++r) gradient[r] += g * move[r];
  }

  void catch_up(size_t block, size_t inner, size_t inner_end) {
    for (size_t i = inner; i < inner_end; ++i) {
      for (size_t earlier = inner; earlier <= i; ++earlier) add_move(i, earlier, moves_.data() + (i - block) * rows_);
    }
    pass_on(inner, inner_end, block, inner, moves_.data() + (inner - block) * rows_);
  }

  // Brings the gradient of columns [to, to_end) up to date with the moves of columns [from, from_end).
  void pass_on(size_t from, size_t from_end, size_t to, size_t to_end, const float* moves) {
    view(gradient_.data() + to * rows_, to_end - to, rows_).noalias() +=
        view(gram_ + from * cols_ + to, from_end - from, to_end - to, cols_).transpose() *
        view(moves, from_end - from, rows_);
  }

  const DescentProblem& problem_;
  size_t rows_;
  size_t cols_;
  const float* gram_;
  std::vector<float> values_;    // [cols, rows]
  Mask keep_;                    // [cols, rows]
  std::vector<float> gradient_;  // gram (values - target)^T, half the derivative of the error; [cols, rows]
  std::vector<float> moves_;     // [kBlock, rows]
  std::vector<float> wanted_;    // [rows]
};

}  // namespace

void refine(const DescentProblem& problem, Candidate& candidate) {
  if (problem.rounds == 0) return;
  Descent descent(problem, candidate);
  for (int round = 0; round < problem.rounds; ++round) {
    descent.sweep();
    if (problem.swap) {
      descent.swap_pass();
      descent.sweep();
    }
  }
  if (problem.swap) descent.use_idle_places();
  descent.write(candidate);
}

}  // namespace lathe
