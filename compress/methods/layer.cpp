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

// A layer, what is asked of it, and what every method needs to know of it.
struct LayerProblem {
  const Matrix& weight;
  const LayerGoal& goal;
  const InputStatistics* statistics;  // null: there are none
  LayerObjective objective;
  Mask keep;  // where a method does not choose the mask itself
  std::vector<std::string>& fallbacks;

  bool prunes() const { return goal.mask.has_value() || goal.sparsity > 0; }
  bool changes_values() const { return prunes() || goal.encoding.values != ValueType::f32; }
  bool corrects_bias() const { return changes_values() && goal.bias_correction && statistics != nullptr; }
};

// One way to store a layer.
struct Solution {
  Candidate candidate;
  Grid grid;
};

Mask starting_mask(const Matrix& weight, const LayerGoal& goal) {
  if (!goal.mask) return magnitude_mask(weight, goal.sparsity);
  return {goal.mask->begin(), goal.mask->end()};
}

Solution round_to_nearest(const Matrix& weight, Mask keep, const LayerGoal& goal,
                          const std::vector<float>& importance) {
  Solution out{{weight, std::move(keep)}, {}};
  out.grid = choose_grid(weight, goal.encoding, importance, &out.candidate.keep);
  for (size_t r = 0; r < weight.rows; ++r) {
    for (size_t c = 0; c < weight.cols; ++c) {
      const size_t at = r * weight.cols + c;
      out.candidate.values.values[at] = out.candidate.keep[at] != 0 ? out.grid.snap(r, c, weight.values[at]) : 0.0f;
    }
  }
  return out;
}

// The weight as it is, with scales that treat all inputs alike.
std::optional<Solution> round_weight(LayerProblem& problem) {
  return round_to_nearest(problem.weight, problem.keep, problem.goal, {});
}

// The target, with scales that favour the inputs that vary most.
std::optional<Solution> round_target(LayerProblem& problem) {
  return round_to_nearest(problem.objective.target, problem.keep, problem.goal, problem.objective.importance);
}

// Chooses the mask by error feedback as if every value could be stored. Empty when the gram matrix cannot be factored.
std::optional<Candidate> choose_mask(const LayerObjective& objective, const std::vector<float>& gram, double sparsity) {
  const Matrix& target = objective.target;
  const Grid unlimited = choose_grid(target, {}, {}, nullptr);
  const uint64_t pruned = pruned_count(sparsity, target.values.size());
  auto candidate = run_error_feedback({target, objective.damped, unlimited, nullptr, pruned, ColumnOrder::natural});
  if (candidate) refine({target, gram, unlimited, true, kMaskRounds}, *candidate);
  return candidate;
}

// Chooses the mask, then the grid that suits the weights that are left, then runs error feedback and descent on that
// grid. Empty when the gram matrix cannot be factored.
std::optional<Solution> correct_errors_once(const LayerProblem& problem) {
  const LayerGoal& goal = problem.goal;
  const LayerObjective& objective = problem.objective;
  const bool chooses_mask = goal.sparsity > 0 && goal.prune_method != PruneMethod::magnitude && !goal.mask;
  const std::vector<float> gram(objective.damped.begin(), objective.damped.end());
  Candidate start{objective.target, problem.keep};
  if (chooses_mask) {
    auto chosen = choose_mask(objective, gram, goal.sparsity);
    if (!chosen) return std::nullopt;
    start = std::move(*chosen);
  }
  if (goal.quant_method == QuantMethod::nearest) {
    return round_to_nearest(start.values, std::move(start.keep), goal, objective.importance);
  }
  Grid grid = choose_grid(start.values, goal.encoding, objective.importance, &start.keep);
  auto candidate = run_error_feedback({start.values, objective.damped, grid, &start.keep, 0, ColumnOrder::by_energy});
  if (!candidate) return std::nullopt;
  refine({objective.target, gram, grid, chooses_mask, kGridRounds}, *candidate);
  return Solution{std::move(*candidate), std::move(grid)};
}

// Raises the damping until the gram matrix can be factored, a few times at most.
std::optional<Solution> correct_errors(LayerProblem& problem) {
  auto solution = correct_errors_once(problem);
  const double asked = problem.goal.damping.value_or(default_damping(problem.statistics->tokens));
  double damping = std::max(asked, kLeastDamping);
  for (int retry = 0; !solution && retry < kDampingRetries; ++retry) {
    damping *= kDampingGrowth;
    problem.fallbacks.push_back(message("the gram matrix is not positive definite: damping raised to ", damping));
    damp(problem.objective, damping);
    solution = correct_errors_once(problem);
  }
  if (!solution) {
    problem.fallbacks.emplace_back("no damping makes the gram matrix positive definite: no error feedback");
  }
  return solution;
}

bool wants_error_feedback(const LayerGoal& goal) {
  const bool prunes = goal.sparsity > 0 && goal.prune_method != PruneMethod::magnitude;
  const bool rounds = value_codec(goal.encoding.values).integer && goal.quant_method != QuantMethod::nearest;
  return prunes || rounds;
}

// A way to find the values that are stored. The methods run in the order of the table, and the smallest loss wins.
struct Method {
  const char* name;          // in the report
  const char* pruning_name;  // in the report, where weights are pruned
  bool (*wanted)(const LayerProblem& problem);
  bool needs_statistics;
  const char* without_statistics;  // the note when it is wanted and there are none; null: nothing is lost
  std::optional<Solution> (*solve)(LayerProblem& problem);
};
constexpr Method kMethods[] = {
    {"nearest", "magnitude+nearest", [](const LayerProblem&) { return true; }, false, nullptr, round_weight},
    {"nearest", "magnitude+nearest", [](const LayerProblem& problem) { return problem.changes_values(); }, true,
     nullptr, round_target},
    {"error_feedback", "error_feedback", [](const LayerProblem& problem) { return wants_error_feedback(problem.goal); },
     true, "no statistics of the inputs: no error feedback", correct_errors},
};

// Whether the goal takes what this method finds even if a simpler one loses less.
bool is_preferred(const Method& method, const LayerGoal& goal) {
  return method.solve == correct_errors && goal.quant_method == QuantMethod::error_feedback;
}

// Runs every method that is wanted and notes losses and the name of the best one in `out`.
Solution best_solution(LayerProblem& problem, LayerOutcome& out) {
  std::optional<Solution> best;
  for (const Method& method : kMethods) {
    if (!method.wanted(problem)) continue;
    if (method.needs_statistics && problem.statistics == nullptr) {
      if (method.without_statistics != nullptr) problem.fallbacks.emplace_back(method.without_statistics);
      continue;
    }
    std::optional<Solution> solution = method.solve(problem);
    if (!solution) continue;
    const Matrix& values = solution->candidate.values;
    const double loss = problem.objective.loss(values, problem.corrects_bias());
    if (!best) out.loss_uncorrected = problem.corrects_bias() ? problem.objective.loss(values, false) : loss;
    const bool wins = !best || loss < out.loss || (is_preferred(method, problem.goal) && std::isfinite(loss));
    if (!wins) continue;
    out.loss = loss;
    out.method = problem.prunes() ? method.pruning_name : method.name;
    best = std::move(solution);
  }
  return std::move(*best);
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
    fail(Errc::usage, message("tensor ", name, ": damping ", damping, " must not be negative, and target correction ",
                              goal.target_correction, " must be in [0, 1]"));
  }
  require_finite(name, weight);
}

}  // namespace

LayerOutcome compress_layer(const std::string& name, const Matrix& weight, const std::vector<float>& bias,
                            const InputStatistics* statistics, const LayerGoal& goal) {
  check_goal(name, weight, goal);
  LayerOutcome out;
  LayerObjective objective = make_objective(weight, statistics, goal, out.fallbacks);
  LayerProblem problem{weight, goal, statistics, std::move(objective), starting_mask(weight, goal), out.fallbacks};
  out.dead_inputs = problem.objective.dead_inputs;
  const Solution best = best_solution(problem, out);
  const Matrix& values = best.candidate.values;
  out.encoded = encode(values, best.grid, goal.encoding);
  const auto zeros = std::count(values.values.begin(), values.values.end(), 0.0f);
  out.sparsity = static_cast<double>(zeros) / static_cast<double>(values.values.size());
  out.bias = problem.corrects_bias() ? corrected_bias(weight, values, bias, *statistics) : bias;
  return out;
}

}  // namespace lathe
