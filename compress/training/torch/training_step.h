#pragma once
// What every stage of training does with its texts: the loss of several shards at a time, the gradients of that loss,
// and one step of the optimizer. Sums over shards are taken in their order, whatever the number of threads.

#include <functional>

#include "compress/training/torch/loss.h"
#include "compress/training/torch/shards.h"
#include "compress/training/torch/trainable.h"

namespace lathe::training {

/// Computes what a stage minimizes: the mean loss over the sequences of `shard`, with `weights` (one tensor for each
/// weight of the student's program). Called by several threads at once.
using ShardLoss = std::function<BatchLoss(const Shard& shard, const std::vector<at::Tensor>& weights)>;

/// Means over the sequences of all shards.
struct LossAndMeasure {
  double loss = 0;
  double measure = 0;
};
/// The loss of `shards` with the present weights.
LossAndMeasure evaluate(const ShardLoss& shard_loss, const TrainableWeights& weights, const std::vector<Shard>& shards,
                        ThreadPool& pool);

struct LossAndGradients {
  double loss = 0;
  std::vector<at::Tensor> gradients;  // in the order of TrainableWeights::trained(); undefined where none flows
};
/// The loss of `shards` and its gradients by the weights that train.
LossAndGradients loss_and_gradients(const ShardLoss& shard_loss, const TrainableWeights& weights,
                                    const std::vector<Shard>& shards, ThreadPool& pool);

/// One step of the optimizer with `gradients`, whose common norm is first clipped to `clip` (0: not at all). Computes
/// step.gradient_scale itself.
void optimizer_step(TrainableWeights& weights, const std::vector<at::Tensor>& gradients, AdamWStep step, double clip,
                    ThreadPool& pool);

/// How many threads train: on a CPU those of the job, on any other device one.
size_t training_threads(const TrainingJob& job, const at::Device& device);

}  // namespace lathe::training
