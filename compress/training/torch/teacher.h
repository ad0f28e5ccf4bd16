#pragma once
// The teacher's outputs: computed once for each text where they fit in memory, anew otherwise.

#include <mutex>

#include "compress/training/torch/interpreter.h"

namespace lathe::training {

/// Each text is computed alone, and its values pass through f16, in which they are kept: neither the texts that it is
/// asked for with nor whether all fit changes a bit. Safe to use by several threads.
class Teacher {
 public:
  /// `data` outlives the teacher. `budget` in bytes.
  Teacher(const Program& program, const WeightLookup& weights, std::vector<uint32_t> wanted, const TokenBatch& data,
          uint64_t budget, const at::Device& device, bool bf16);

  /// The same model with other texts.
  Teacher(const Teacher& like, const TokenBatch& data, uint64_t budget);

  /// By weight of the program.
  const std::vector<at::Tensor>& weights() const { return weights_; }

  /// The wanted values for those sequences of the data, one after the other.
  Values outputs(std::span<const uint32_t> sequences);
  bool keeps() const { return keeps_; }

 private:
  void make_room(uint64_t budget);
  std::vector<at::Tensor> compute(uint32_t sequence) const;
  std::vector<at::Tensor> values_of(uint32_t sequence);

  const Program& program_;
  const TokenBatch& data_;
  at::Device device_;
  std::vector<uint32_t> wanted_;
  std::vector<at::Tensor> weights_;
  bool keeps_ = false;
  bool bf16_ = false;
  std::mutex mutex_;                           // of kept_
  std::vector<std::vector<at::Tensor>> kept_;  // by sequence, in the order of wanted_
};

/// A quarter of the memory that is free now.
uint64_t teacher_budget();

}  // namespace lathe::training
