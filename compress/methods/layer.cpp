#include "compress/methods/layer.h"

#include <algorithm>
#include <cmath>

#include "compress/methods/encode.h"
#include "compress/methods/error_feedback.h"
#include "compress/methods/linalg.h"
#include "compress/methods/objective.h"
#include "compress/methods/refine.h"

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
std::optional<Candidate> correct_errors_somehow(Objective& objective, const LayerGoal& goal, uint64_t tokens,
                                                const Mask& keep, Grid& grid, std::vector<std::string>& fallbacks) {
  auto candidate = correct_errors(objective, goal, keep, grid);
  double damping = std::max(goal.damping.value_or(default_damping(tokens)), kLeastDamping);
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
  const double damping = goal.damping.value_or(0.0);
  if (!(damping >= 0) || !std::isfinite(damping) || !(goal.target_correction >= 0 && goal.target_correction <= 1)) {
    fail(Errc::usage, message("tensor ", name, ": damping ", damping,
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

// What is known so far to be the best way to store a layer.
struct Best {
  Candidate candidate;
  Grid grid;

  void offer(const Objective& objective, bool corrects_bias, Candidate other, const Grid& its_grid, const char* method,
             bool preferred, LayerOutcome& out) {
    const double loss = objective.loss(other.values, corrects_bias);
    if (!(loss < out.loss || (preferred && std::isfinite(loss)))) return;
    out.loss = loss;
    out.method = method;
    candidate = std::move(other);
    grid = its_grid;
  }
};

}  // namespace

LayerOutcome compress_layer(const std::string& name, const Matrix& weight, const std::vector<float>& bias,
                            const InputStatistics* statistics, const LayerGoal& goal) {
  check_goal(name, weight, goal);
  LayerOutcome out;
  Objective objective = make_objective(weight, statistics, goal, out.fallbacks);
  out.dead_inputs = objective.dead_inputs;
  const bool prunes = goal.mask.has_value() || goal.sparsity > 0;
  const bool changes = prunes || goal.encoding.values != ValueType::f32;
  const bool corrects_bias = changes && goal.bias_correction && statistics != nullptr;
  const char* plain = prunes ? "magnitude+nearest" : "nearest";
  const Mask keep = starting_mask(weight, goal);

  Best best;
  best.candidate = round_to_nearest(weight, keep, goal, {}, best.grid);
  out.method = plain;
  out.loss = objective.loss(best.candidate.values, corrects_bias);
  out.loss_uncorrected = corrects_bias ? objective.loss(best.candidate.values, false) : out.loss;
  Grid grid;
  if (changes && statistics != nullptr) {
    Candidate nearest = round_to_nearest(objective.target, keep, goal, objective.importance, grid);
    best.offer(objective, corrects_bias, std::move(nearest), grid, plain, false, out);
  }
  if (wants_feedback(goal) && statistics == nullptr) {
    out.fallbacks.emplace_back("no statistics of the inputs: no error feedback");
  } else if (wants_feedback(goal)) {
    auto corrected = correct_errors_somehow(objective, goal, statistics->tokens, keep, grid, out.fallbacks);
    const bool preferred = goal.quant_method == QuantMethod::error_feedback;
    if (corrected) {
      best.offer(objective, corrects_bias, std::move(*corrected), grid, "error_feedback", preferred, out);
    }
  }
  const Matrix& values = best.candidate.values;
  out.encoded = encode(values, best.grid, goal.encoding);
  const auto zeros = std::count(values.values.begin(), values.values.end(), 0.0f);
  out.sparsity = static_cast<double>(zeros) / static_cast<double>(values.values.size());
  out.bias = corrects_bias ? corrected_bias(weight, values, bias, *statistics) : bias;
  return out;
}

}  // namespace lathe
