#include "compress/training/torch/teacher.h"

#include <unistd.h>

#include <set>

namespace lathe::training {

uint64_t teacher_budget() {
  const long pages = ::sysconf(_SC_AVPHYS_PAGES);
  const long page = ::sysconf(_SC_PAGESIZE);
  return pages > 0 && page > 0 ? static_cast<uint64_t>(pages) * static_cast<uint64_t>(page) / 4 : 0;
}

Teacher::Teacher(const Program& program, const WeightLookup& weights, std::vector<uint32_t> wanted,
                 const TokenBatch& data, uint64_t budget, const at::Device& device, bool bf16)
    : program_(program), data_(data), device_(device), bf16_(bf16) {
  const std::set<uint32_t> distinct(wanted.begin(), wanted.end());
  wanted_.assign(distinct.begin(), distinct.end());
  weights_ = decoded_weights(program.weights, weights, device);
  decide_to_keep(budget);
}

Teacher::Teacher(const Teacher& like, const TokenBatch& data, uint64_t budget)
    : program_(like.program_),
      data_(data),
      device_(like.device_),
      wanted_(like.wanted_),
      weights_(like.weights_),
      bf16_(like.bf16_) {
  decide_to_keep(budget);
}

void Teacher::decide_to_keep(uint64_t budget) {
  uint64_t bytes = 0;
  for (const uint32_t id : wanted_) {
    const bool tokens = program_.values[id].rows == RowKind::tokens;
    bytes += 2 * uint64_t{program_.values[id].shape.size()} * (tokens ? data_.tokens() : data_.sequences());
  }
  keeps_ = bytes <= budget;
  kept_.resize(data_.sequences());
}

// The wanted values in f16. In a batch with other texts, products would round differently.
std::vector<at::Tensor> Teacher::compute(uint32_t sequence) const {
  const TensorBatch alone = make_tensor_batch(select_sequences(data_, std::span(&sequence, 1)), device_);
  const Values values = interpret(program_, weights_, alone, {}, wanted_, bf16_);
  std::vector<at::Tensor> result;
  for (const uint32_t id : wanted_) result.push_back(values.at(id).to(at::kHalf));
  return result;
}

// Two threads can ask for the same text: a step in which one pass over the texts ends and the next begins can have it
// twice. Both then compute the same values.
std::vector<at::Tensor> Teacher::values_of(uint32_t sequence) {
  if (keeps_) {
    const std::lock_guard lock(mutex_);
    if (!kept_[sequence].empty()) return kept_[sequence];
  }
  std::vector<at::Tensor> computed = compute(sequence);
  if (keeps_) {
    const std::lock_guard lock(mutex_);
    kept_[sequence] = computed;
  }
  return computed;
}

Values Teacher::outputs(std::span<const uint32_t> sequences) {
  const at::NoGradGuard no_gradients;
  std::vector<std::vector<at::Tensor>> parts(wanted_.size());
  for (const uint32_t s : sequences) {
    const std::vector<at::Tensor> values = values_of(s);
    for (size_t i = 0; i < wanted_.size(); ++i) parts[i].push_back(values[i]);
  }
  Values values;
  for (size_t i = 0; i < wanted_.size(); ++i) values[wanted_[i]] = at::cat(parts[i]).to(at::kFloat);
  return values;
}

}  // namespace lathe::training
