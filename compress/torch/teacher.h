#pragma once
// The teacher's outputs: computed once for each text where they fit in memory, anew otherwise.

#include "compress/torch/interpreter.h"

namespace lathe::training {

/// Values are kept as f16, and pass through f16 too where they are not kept: whether they fit changes nothing. Safe to
/// use by several threads for different sequences at once.
class Teacher {
 public:
  /// `data` outlives the teacher. `budget` in bytes.
  Teacher(const Program& program, const WeightLookup& weights, std::vector<uint32_t> wanted, const TokenBatch& data,
          uint64_t budget, const at::Device& device, bool bf16);

  /// The wanted values for those sequences of the data; `batch` is the same sequences.
  Values outputs(std::span<const uint32_t> sequences, const TensorBatch& batch);
  bool keeps() const { return keeps_; }

 private:
  Values compute(const TensorBatch& batch) const;

  const Program& program_;
  std::vector<uint32_t> wanted_;
  std::vector<at::Tensor> weights_;
  bool keeps_ = false;
  bool bf16_ = false;
  std::vector<std::vector<at::Tensor>> kept_;  // by sequence, in the order of wanted_
};

/// A quarter of the memory that is free now.
uint64_t teacher_budget();

}  // namespace lathe::training
