#include "compress/pipeline/layer_group.h"

#include "compress/methods/encode.h"

namespace lathe {
namespace {

// A low-rank layer has two weights, any other one; beside them stands the bias, which compression may have corrected.
void add_outcome(const GroupSettings& settings, const Op& op, LinearOutcome outcome, FinishedGroup& group) {
  FinishedLayer& layer = group.layers.emplace_back();
  layer.rounding_share = outcome.rounding_share;
  for (LinearFactor& factor : outcome.factors) {
    layer.weights.push_back(std::move(factor.facts));
    group.tensors[factor.name] = std::move(factor.encoded);
  }
  if (op.weights.size() < 2 || op.weights[1] == kNone) return;
  const std::string& bias = settings.source.program.weights[op.weights[1]];
  group.tensors[bias] = encode_vector(outcome.bias, settings.plan.find(bias).encoding);
}

}  // namespace

std::vector<std::vector<size_t>> linear_groups(const Program& program) {
  const auto roles = weight_roles(program);
  std::vector<std::vector<size_t>> groups;
  for (size_t i = 0; i < program.ops.size(); ++i) {
    if (!program.ops[i].is<ops::Linear>()) continue;
    if (roles.at(program.weights[program.ops[i].weights[0]]) != WeightRole::linear) continue;
    const bool same = !groups.empty() && program.ops[groups.back().back()].inputs == program.ops[i].inputs;
    if (!same) groups.emplace_back();
    groups.back().push_back(i);
  }
  return groups;
}

GroupSettings make_group_settings(const SourceModel& source, const Recipe& recipe, const CompressionPlan& plan) {
  GroupSettings settings{source, recipe, plan, {}};
  if (recipe.training.schedule == PruneSchedule::cubic) {
    settings.masks = masks_of_zeros(source, plan);
  } else if (recipe.prune_scope == PruneScope::global && recipe.prune > 0) {
    settings.masks = choose_global_masks(source, plan);
  }
  return settings;
}

FinishedGroup compress_group(const GroupSettings& settings, const std::vector<size_t>& ops,
                             const InputStatistics* statistics, ThreadPool& pool) {
  const Program& program = settings.source.program;
  std::vector<LinearOutcome> outcomes(ops.size());
  pool.parallel_for(ops.size(), [&](size_t i, size_t) {
    const LinearJob job =
        make_linear_job(settings.source, settings.recipe, settings.plan, program.ops[ops[i]], settings.masks);
    outcomes[i] = compress_linear(job, statistics);
  });
  FinishedGroup group;
  for (size_t i = 0; i < ops.size(); ++i) add_outcome(settings, program.ops[ops[i]], std::move(outcomes[i]), group);
  return group;
}

FinishedGroup compress_table_group(const SourceModel& source, const WeightPlan& plan) {
  TableOutcome outcome = compress_table(source, plan);
  FinishedGroup group;
  group.layers = {{{std::move(outcome.facts)}, std::nullopt}};
  group.tensors[plan.name] = std::move(outcome.encoded);
  return group;
}

}  // namespace lathe
