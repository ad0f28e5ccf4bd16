#include "compress/methods/objective.h"

#include <algorithm>
#include <cmath>

#include "compress/methods/linalg.h"
#include "formats/artifact/error.h"

namespace lathe {
namespace {

// A variance below this share of the second moment is rounding error: the input is constant.
constexpr double kConstantInput = 1e-12;

// Measured on held-out texts: with 25 000 tokens a damping of 0.01 to 0.03 left the smallest error, with 2 500 0.1.
constexpr double kDampedTokens = 250;
constexpr double kLeastDamping = 0.01;
constexpr double kMostDamping = 1.0;

void check_sizes(const Matrix& weight, const InputStatistics& statistics) {
  const size_t n = statistics.width;
  const bool crossed = !statistics.cross_gram.empty();
  if (n != weight.cols || statistics.gram.size() != n * n || statistics.sum.size() != n || statistics.tokens == 0 ||
      (crossed && (statistics.cross_gram.size() != n * n || statistics.original_sum.size() != n))) {
    fail(Errc::internal, message("statistics of width ", n, " and ", statistics.tokens,
                                 " tokens do not fit a weight with ", weight.cols, " columns"));
  }
}

// Second moments of one token, about the means when they are given (as sums over all tokens).
std::vector<double> moments(const std::vector<double>& sums, const std::vector<double>* left,
                            const std::vector<double>* right, uint64_t tokens) {
  const double scale = 1.0 / static_cast<double>(tokens);
  std::vector<double> out(sums.size());
  std::transform(sums.begin(), sums.end(), out.begin(), [scale](double sum) { return sum * scale; });
  if (left == nullptr) return out;
  const size_t n = left->size();
  for (size_t i = 0; i < n; ++i) {
    const double mean = (*left)[i] * scale;
    for (size_t j = 0; j < n; ++j) out[i * n + j] -= mean * ((*right)[j] * scale);
  }
  return out;
}

// Square of the matrix's output for the mean input; 0 where there is none.
double mean_square(const Matrix& matrix, const std::vector<double>& mean) {
  double total = 0;
  for (size_t r = 0; r < matrix.rows && !mean.empty(); ++r) {
    double output = 0;
    for (size_t c = 0; c < matrix.cols; ++c) output += matrix.row(r)[c] * mean[c];
    total += output * output;
  }
  return total;
}

// Constant inputs have no spread; what subtraction left there must not look like one.
void clear_constant_inputs(const std::vector<double>& mean, std::vector<double>& spread) {
  const size_t n = mean.size();
  for (size_t i = 0; i < n; ++i) {
    if (spread[i * n + i] > kConstantInput * (spread[i * n + i] + mean[i] * mean[i])) continue;
    for (size_t j = 0; j < n; ++j) spread[i * n + j] = spread[j * n + i] = 0;
  }
}

// The weight t that brings t x closest to w y, held near w by the damping: t = w + w (cross - spread) / (spread + d).
void correct_target(Objective& objective, const InputStatistics& statistics, const LayerGoal& goal,
                    std::vector<std::string>& fallbacks) {
  const size_t n = statistics.width;
  const bool centred = goal.bias_correction;
  std::vector<double> step =
      moments(statistics.cross_gram, centred ? &statistics.original_sum : nullptr, &statistics.sum, statistics.tokens);
  for (size_t i = 0; i < n * n; ++i) step[i] -= objective.spread[i];
  const std::vector<double> weight(objective.target.values.begin(), objective.target.values.end());
  std::vector<double> change = product(objective.target.rows, n, n, weight, step);
  step = {};
  std::vector<double> damped = objective.damped;
  if (!solve_rows(n, damped, change)) {
    fallbacks.emplace_back("the error of the layers before is not corrected: the gram matrix is singular");
    return;
  }
  for (size_t i = 0; i < change.size(); ++i) {
    objective.target.values[i] = static_cast<float>(weight[i] + goal.target_correction * change[i]);
  }
}

}  // namespace

double default_damping(uint64_t tokens) {
  return std::clamp(kDampedTokens / static_cast<double>(tokens), kLeastDamping, kMostDamping);
}

double Objective::loss(const Matrix& values, bool corrected) const {
  Matrix difference = values;
  for (size_t i = 0; i < difference.values.size(); ++i) difference.values[i] -= target.values[i];
  const double error = quadratic_form(difference, spread) + (corrected ? 0.0 : mean_square(difference, mean));
  return error == 0 ? 0.0 : error / energy;
}

void damp(Objective& objective, double damping) {
  const size_t n = objective.target.cols;
  double mean = 0;
  for (size_t i = 0; i < n; ++i) mean += objective.spread[i * n + i] / static_cast<double>(n);
  const double added = mean > 0 ? damping * mean : 1.0;
  objective.damped = objective.spread;
  for (size_t i = 0; i < n; ++i) {
    double& diagonal = objective.damped[i * n + i];
    diagonal += added;
    if (!(diagonal > 0)) diagonal = mean;  // without damping an input that never varies would have no weight at all
  }
  objective.importance.resize(n);
  const double scale = 1.0 / (mean + added);
  for (size_t i = 0; i < n; ++i) objective.importance[i] = static_cast<float>(objective.damped[i * n + i] * scale);
}

Objective make_objective(const Matrix& weight, const InputStatistics* statistics, const LayerGoal& goal,
                         std::vector<std::string>& fallbacks) {
  Objective objective;
  objective.target = weight;
  if (statistics != nullptr) {
    check_sizes(weight, *statistics);
    const size_t n = statistics->width;
    const std::vector<double>* about = goal.bias_correction ? &statistics->sum : nullptr;
    objective.spread = moments(statistics->gram, about, about, statistics->tokens);
    if (goal.bias_correction) {
      objective.mean = statistics->sum;
      for (double& mean : objective.mean) mean /= static_cast<double>(statistics->tokens);
      clear_constant_inputs(objective.mean, objective.spread);
    }
    for (size_t i = 0; i < n; ++i) objective.dead_inputs += statistics->gram[i * n + i] == 0 ? 1 : 0;
    damp(objective, goal.damping.value_or(default_damping(statistics->tokens)));
    if (!statistics->cross_gram.empty() && goal.target_correction > 0) {
      correct_target(objective, *statistics, goal, fallbacks);
    }
  }
  objective.energy = quadratic_form(objective.target, objective.spread) + mean_square(objective.target, objective.mean);
  return objective;
}

void require_finite(const std::string& name, const Matrix& weight) {
  const auto bad = [](float value) { return !std::isfinite(value); };
  const auto first = std::find_if(weight.values.begin(), weight.values.end(), bad);
  if (first == weight.values.end()) return;
  const auto index = static_cast<uint64_t>(first - weight.values.begin());
  const auto count = static_cast<uint64_t>(std::count_if(first, weight.values.end(), bad));
  fail(Errc::malformed, message("tensor ", name, ": value ", *first, " at index ", index, " [", index / weight.cols,
                                ", ", index % weight.cols, "], must be finite (", count, " such values)"));
}

std::vector<float> corrected_bias(const Matrix& weight, const Matrix& values, const std::vector<float>& bias,
                                  const InputStatistics& statistics) {
  const std::vector<double>& original = statistics.original_sum.empty() ? statistics.sum : statistics.original_sum;
  std::vector<float> out(weight.rows, 0.0f);
  for (size_t r = 0; r < weight.rows; ++r) {
    double lost = 0;
    for (size_t c = 0; c < weight.cols; ++c) {
      lost += static_cast<double>(weight.row(r)[c]) * original[c] -
              static_cast<double>(values.row(r)[c]) * statistics.sum[c];
    }
    const double before = bias.empty() ? 0.0 : bias[r];
    out[r] = static_cast<float>(before + lost / static_cast<double>(statistics.tokens));
  }
  return out;
}

}  // namespace lathe
