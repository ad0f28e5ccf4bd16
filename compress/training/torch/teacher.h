#pragma once
// The teacher's values for the texts of a stage: computed once where they fit in memory, and each time otherwise.

#include <mutex>

#include "compress/training/torch/interpreter.h"

namespace lathe::training {

/// A teacher program with its weights, for one set of texts. Each text is computed alone, and its values are rounded to
/// f16, in which they are kept. So the result for a text depends neither on the texts that are asked for with it nor on
/// whether all values fit in memory. Safe to use by several threads.
class Teacher {
 public:
  /// `wanted` are values of the program. `data` and `program` outlive the teacher. Values are kept when those of all
  /// texts take at most `budget` bytes. `bf16`: matrix products are computed in bf16.
  Teacher(const Program& program, const WeightLookup& weights, std::vector<uint32_t> wanted, const TokenBatch& data,
          uint64_t budget, const at::Device& device, bool bf16);

  /// A teacher for other texts that shares the weights of this one.
  Teacher(const Teacher& like, const TokenBatch& data, uint64_t budget);

  /// One tensor for each weight of the program.
  const std::vector<at::Tensor>& weights() const { return weights_; }

  /// The wanted values, in f32, for these sequences of the texts, whose rows follow each other in this order.
  Values outputs(std::span<const uint32_t> sequences);
  /// Whether values are kept.
  bool keeps() const { return keeps_; }

 private:
  void decide_to_keep(uint64_t budget);
  std::vector<at::Tensor> compute(uint32_t sequence) const;
  std::vector<at::Tensor> values_of(uint32_t sequence);

  const Program& program_;
  const TokenBatch& data_;
  at::Device device_;
  std::vector<uint32_t> wanted_;  // in ascending order, each once
  std::vector<at::Tensor> weights_;
  bool keeps_ = false;
  bool bf16_ = false;
  std::mutex mutex_;                           // guards kept_
  std::vector<std::vector<at::Tensor>> kept_;  // for each sequence the wanted_ values in f16; empty: not yet computed
};

/// How many bytes a teacher may keep: a quarter of the memory that is free now.
uint64_t teacher_budget();

}  // namespace lathe::training
