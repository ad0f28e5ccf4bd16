#include "compress/training/torch/training_step.h"

#include <algorithm>

namespace lathe::training {
namespace {

constexpr uint64_t kGradientBytes = uint64_t{1} << 30;  // of the shards that are computed at the same time

size_t sequence_count(const std::vector<Shard>& shards) {
  size_t sequences = 0;
  for (const Shard& shard : shards) sequences += shard.size();
  return sequences;
}

// The shard's part of the loss of all `sequences`.
at::Tensor share_of_loss(const BatchLoss& result, const Shard& shard, size_t sequences) {
  return result.loss * (static_cast<double>(shard.size()) / static_cast<double>(sequences));
}

double shard_gradients(const ShardLoss& shard_loss, const TrainableWeights& weights, const Shard& shard,
                       size_t sequences, std::vector<at::Tensor>& gradients) {
  use_one_thread();
  const at::AutoGradMode mode(true);
  std::vector<at::Tensor> used = weights.effective();
  std::vector<at::Tensor> leaves;
  for (const uint32_t weight : weights.trained()) {
    used[weight] = used[weight].detach().requires_grad_(true);
    leaves.push_back(used[weight]);
  }
  const at::Tensor loss = share_of_loss(shard_loss(shard, used), shard, sequences);
  gradients = torch::autograd::grad({loss}, leaves, {}, {}, false, /*allow_unused=*/true);
  return loss.item<double>();
}

void add_gradients(const std::vector<std::vector<at::Tensor>>& shards, std::vector<at::Tensor>& total,
                   ThreadPool& pool) {
  pool.parallel_for(total.size(), [&](size_t i, size_t) {
    const at::NoGradGuard no_gradients;
    use_one_thread();
    for (const std::vector<at::Tensor>& shard : shards) {
      if (shard[i].defined()) total[i] = total[i].defined() ? total[i].add_(shard[i]) : shard[i].clone();
    }
  });
}

// Each shard has gradients of all weights: of a large model only as many shards at a time as there are threads.
size_t shards_at_once(const TrainableWeights& weights, size_t shards, const ThreadPool& pool) {
  const uint64_t bytes = sizeof(float) * weights.trained_numbers();
  return bytes * shards <= kGradientBytes ? shards : pool.size();
}

}  // namespace

LossAndMeasure evaluate(const ShardLoss& shard_loss, const TrainableWeights& weights, const std::vector<Shard>& shards,
                        ThreadPool& pool) {
  const size_t sequences = sequence_count(shards);
  std::vector<LossAndMeasure> parts(shards.size());
  pool.parallel_for(shards.size(), [&](size_t i, size_t) {
    use_one_thread();
    const at::NoGradGuard no_gradients;
    const BatchLoss result = shard_loss(shards[i], weights.effective());
    parts[i].loss = share_of_loss(result, shards[i], sequences).item<double>();
    if (result.measure.defined()) parts[i].measure = result.measure.item<double>();
  });
  LossAndMeasure total;
  for (const LossAndMeasure& part : parts) {
    total.loss += part.loss;
    total.measure += part.measure / static_cast<double>(sequences);
  }
  return total;
}

LossAndGradients loss_and_gradients(const ShardLoss& shard_loss, const TrainableWeights& weights,
                                    const std::vector<Shard>& shards, ThreadPool& pool) {
  const size_t sequences = sequence_count(shards);
  LossAndGradients total;
  total.gradients.resize(weights.trained().size());
  std::vector<double> losses(shards.size());
  const size_t together = shards_at_once(weights, shards.size(), pool);
  for (size_t first = 0; first < shards.size(); first += together) {
    std::vector<std::vector<at::Tensor>> gradients(std::min(together, shards.size() - first));
    pool.parallel_for(gradients.size(), [&](size_t i, size_t) {
      losses[first + i] = shard_gradients(shard_loss, weights, shards[first + i], sequences, gradients[i]);
    });
    add_gradients(gradients, total.gradients, pool);
  }
  for (const double loss : losses) total.loss += loss;
  return total;
}

void optimizer_step(TrainableWeights& weights, const std::vector<at::Tensor>& gradients, AdamWStep step, double clip,
                    ThreadPool& pool) {
  const at::NoGradGuard no_gradients;
  weights.set_gradients(gradients, pool);
  std::vector<Parameter>& parameters = weights.parameters();
  step.gradient_scale = clip_scale(parameters, clip);
  pool.parallel_for(parameters.size(), [&](size_t i, size_t) {
    use_one_thread();
    adamw_step(parameters[i], step);
  });
  weights.refresh(pool);
}

size_t training_threads(const TrainingJob& job, const at::Device& device) {
  if (!device.is_cpu()) return 1;
  return job.threads == 0 ? available_cores() : job.threads;
}

}  // namespace lathe::training
