#include "compress/training/torch/best.h"

#include <algorithm>
#include <cmath>

namespace lathe::training {
namespace {

constexpr uint64_t kMostBadChecks = 3;
constexpr double kNegligibleLoss = 1e-2;  // several times a smaller loss is still noise

}  // namespace

bool keep_if_best(BestWeights& best, const Check& check, const TrainableWeights& weights) {
  const bool more_pruned = check.pruning_progress > best.pruning_progress;
  if (std::isfinite(check.loss) && (!best.exist() || more_pruned || check.loss < best.loss)) {
    best = {check.loss, check.step, check.pruning_progress, 0, {}};
    for (const Parameter& parameter : weights.parameters()) {
      best.values.push_back(parameter.value.detach().to(at::kCPU).clone());
    }
    return true;
  }
  const bool acceptable = check.loss <= std::max(kNegligibleLoss, kBadCheckFactor * best.loss);
  if (!acceptable) ++best.bad_checks;
  return false;
}

bool has_diverged(const BestWeights& best) { return best.bad_checks >= kMostBadChecks; }

void restore(const BestWeights& best, TrainableWeights& weights, ThreadPool& pool) {
  const at::NoGradGuard no_gradients;
  std::vector<Parameter>& parameters = weights.parameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    // A copy even on the same device: the optimizer changes its values in place.
    const at::Tensor& kept = best.values[i];
    parameters[i].value =
        kept.to(parameters[i].value.device(), kept.scalar_type(), /*non_blocking=*/false, /*copy=*/true);
  }
  weights.refresh(pool);
}

}  // namespace lathe::training
