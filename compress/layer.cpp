#include "compress/layer.h"

#include <algorithm>
#include <cmath>

#include "compress/encode.h"
#include "compress/linalg.h"
#include "compress/passes/error_feedback.h"
#include "compress/passes/objective.h"
#include "compress/passes/refine.h"

namespace lathe {
namespace {

constexpr int kDampingRetries = 3;
constexpr double kDampingGrowth = 10;
constexpr double kLeastDamping = 0.001;
constexpr int kMaskRounds = 2;
constexpr int kGridRounds = 2;

Mask starting_mask(const Matrix& weight, const LayerGoal& goal) {
  if (!goal.mask) return magnitude_mask(weight, goal.sparsity);
  return {goal.mask->begin(), goal.mask->end()};
}

Candidate round_to_nearest(const Matrix& weight, Mask keep, const LayerGoal& goal, const std::vector<float>& importance,
                           Grid& grid) {
  grid = choose_grid(weight, goal.encoding, importance, &keep);
  Candidate out{weight, std::move(keep)};
  for (size_t r = 0; r < weight.rows; ++r) {
    for (size_t c = 0; c < weight.cols; ++c) {
      const size_t at = r * weight.cols + c;
      out.values.values[at] = out.keep[at] != 0 ? grid.snap(r, c, weight.values[at]) : 0.0f;
    }
  }
  return out;
}

// Chooses the mask by error feedback as if every value could be held. Empty when the gram matrix cannot be factored.
std::optional<Candidate> choose_mask(const Objective& objective, const std::vector<float>& gram, double sparsity) {
  const Matrix& target = objective.target;
  const Grid unlimited = choose_grid(target, {}, {}, nullptr);
  const uint64_t pruned = pruned_count(sparsity, target.values.size());
  auto candidate = run_error_feedback({target, objective.damped, unlimited, nullptr, pruned, ColumnOrder::natural});
  if (candidate) refine({target, gram, unlimited, true, kMaskRounds}, *candidate);
  return candidate;
}

// Mask first, then the grid that suits what is left, then error feedback and descent on that grid. Empty as above.
std::optional<Candidate> correct_errors(const Objective& objective, const LayerGoal& goal, Mask keep, Grid& grid) {
  const bool free_mask = goal.sparsity > 0 && goal.prune_method == PruneMethod::error_feedback && !goal.mask;
  const bool rounds = goal.quant_method != QuantMethod::nearest;
  const std::vector<float> gram(objective.damped.begin(), objective.damped.end());
  Candidate start{objective.target, std::move(keep)};
  if (free_mask) {
    auto chosen = choose_mask(objective, gram, goal.sparsity);
    if (!chosen) return chosen;
    start = std::move(*chosen);
  }
  if (!rounds) return round_to_nearest(start.values, std::move(start.keep), goal, objective.importance, grid);
  grid = choose_grid(start.values, goal.encoding, objective.importance, &start.keep);
  auto candidate = run_error_feedback({start.values, objective.damped, grid, &start.keep, 0, ColumnOrder::by_energy});
  if (candidate) refine({objective.target, gram, grid, free_mask, kGridRounds}, *candidate);
  return candidate;
}

// The same with more and more damping until it works.
std::optional<Candidate> correct_errors_somehow(Objective& objective, const LayerGoal& goal, const Mask& keep,
                                                Grid& grid, std::vector<std::string>& fallbacks) {
  auto candidate = correct_errors(objective, goal, keep, grid);
  double damping = goal.damping > 0 ? goal.damping : kLeastDamping;
  for (int retry = 0; !candidate && retry < kDampingRetries; ++retry) {
    damping *= kDampingGrowth;
    fallbacks.push_back(message("the gram matrix is not positive definite: damping raised to ", damping));
    damp(objective, damping);
    candidate = correct_errors(objective, goal, keep, grid);
  }
  if (!candidate) fallbacks.emplace_back("no damping makes the gram matrix positive definite: no error feedback");
  return candidate;
}

void check_goal(const std::string& name, const Matrix& weight, const LayerGoal& goal) {
  if (weight.rows == 0 || weight.cols == 0 || weight.values.size() != weight.rows * weight.cols) {
    fail(Errc::internal,
         message("tensor ", name, ": ", weight.values.size(), " values for [", weight.rows, ", ", weight.cols, "]"));
  }
  if (goal.mask && goal.mask->size() != weight.values.size()) {
    fail(Errc::internal,
         message("tensor ", name, ": the mask has ", goal.mask->size(), " entries, must have ", weight.values.size()));
  }
  if (!(goal.damping >= 0) || !(goal.target_correction >= 0 && goal.target_correction <= 1)) {
    fail(Errc::usage, message("tensor ", name, ": damping ", goal.damping,
                              " must not be negative and target "
                              "correction ",
                              goal.target_correction, " must be in [0, 1]"));
  }
  require_finite(name, weight);
}

bool wants_feedback(const LayerGoal& goal) {
  const bool prunes = goal.sparsity > 0 && goal.prune_method == PruneMethod::error_feedback;
  const bool rounds = value_codec(goal.encoding.values).integer && goal.quant_method != QuantMethod::nearest;
  return prunes || rounds;
}

}  // namespace

LayerOutcome compress_layer(const std::string& name, const Matrix& weight, const std::vector<float>& bias,
                            const InputStatistics* statistics, const LayerGoal& goal) {
  check_goal(name, weight, goal);
  LayerOutcome out;
  Objective objective = make_objective(weight, statistics, goal, out.fallbacks);
  out.dead_inputs = objective.dead_inputs;
  const bool corrects_bias = goal.bias_correction && statistics != nullptr;
  const bool prunes = goal.mask.has_value() || goal.sparsity > 0;

  Grid grid;
  const Mask keep = starting_mask(weight, goal);
  Candidate best = round_to_nearest(weight, keep, goal, {}, grid);
  out.loss_uncorrected = objective.loss(best.values, false);
  out.method = prunes ? "magnitude+nearest" : "nearest";

  if (wants_feedback(goal) && statistics == nullptr) {
    out.fallbacks.emplace_back("no statistics of the inputs: no error feedback");
  }
  out.loss = objective.loss(best.values, corrects_bias);
  if (statistics != nullptr) {
    const auto consider = [&](Candidate candidate, const Grid& its_grid, const char* method) {
      const double loss = objective.loss(candidate.values, corrects_bias);
      if (!(loss < out.loss)) return;
      out.loss = loss;
      out.method = method;
      best = std::move(candidate);
      grid = its_grid;
    };
    Grid other;
    Candidate nearest = round_to_nearest(objective.target, keep, goal, objective.importance, other);
    consider(std::move(nearest), other, prunes ? "magnitude+nearest" : "nearest");
    if (wants_feedback(goal)) {
      auto corrected = correct_errors_somehow(objective, goal, keep, other, out.fallbacks);
      if (corrected) consider(std::move(*corrected), other, "error_feedback");
    }
  }
  out.encoded = encode(best.values, grid, goal.encoding);
  const auto zeros = std::count(best.values.values.begin(), best.values.values.end(), 0.0f);
  out.sparsity = static_cast<double>(zeros) / static_cast<double>(best.values.values.size());
  out.bias = corrects_bias ? corrected_bias(weight, best.values, bias, *statistics) : bias;
  return out;
}

}  // namespace lathe
