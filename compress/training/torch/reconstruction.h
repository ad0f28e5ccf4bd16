#pragma once
// Tuning one block after the other (in the manner of BRECQ; Li et al., 2021): cheap, without labels, with the memory of
// one block.

#include "compress/program/blocks.h"
#include "compress/training/torch/interpreter.h"
#include "compress/training/torch/shards.h"
#include "compress/training/torch/trainable.h"

namespace lathe::training {

/// See TrainingEngine::reconstruct_blocks.
class BlockReconstruction {
 public:
  BlockReconstruction(TrainingJob& job, Progress& progress, const at::Device& device);
  std::vector<TrainingCurve> run();

 private:
  // A stretch of the student between two matched values.
  struct Stretch {
    uint32_t student_input = kNone;
    uint32_t teacher_input = kNone;
    MatchedValue output;
    std::set<std::string> weights;  // of the student, in the stretch
  };
  // The value of one place for each sequence, as f32 rows on the CPU.
  using Track = std::vector<at::Tensor>;

  std::vector<Stretch> find_stretches() const;
  TrainingCurve tune(const Stretch& stretch);
  Track advance(const Program& program, const std::vector<at::Tensor>& weights, const Track& inputs, uint32_t input,
                uint32_t output);
  double shard_error(const Stretch& stretch, const TrainableWeights& weights, const Shard& shard, size_t sequences,
                     std::vector<at::Tensor>* gradients);
  double held_out_error(const Stretch& stretch, const TrainableWeights& weights);
  uint64_t step(const Stretch& stretch, TrainableWeights& weights, uint64_t number, double rate);

  void report(const std::vector<TrainingCurve>& curves, size_t blocks);

  TrainingJob& job_;
  Progress& progress_;
  at::Device device_;
  ThreadPool pool_;
  const TokenBatch& data_;
  Track student_;  // of the present stretch's input
  Track teacher_;
  Track target_;  // the teacher's output
  std::vector<uint32_t> train_;
  std::vector<uint32_t> held_out_;
  Shuffle shuffle_;
  size_t step_sequences_;  // of one optimizer step
  double seconds_ = 0;
  uint64_t tokens_ = 0;
};

}  // namespace lathe::training
