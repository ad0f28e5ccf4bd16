#include "compress/torch/teacher.h"

#include <unistd.h>

#include <set>

namespace lathe::training {
namespace {

at::Tensor halved(const at::Tensor& value) { return value.to(at::kHalf); }

}  // namespace

uint64_t teacher_budget() {
  const long pages = ::sysconf(_SC_AVPHYS_PAGES);
  const long page = ::sysconf(_SC_PAGESIZE);
  return pages > 0 && page > 0 ? static_cast<uint64_t>(pages) * static_cast<uint64_t>(page) / 4 : 0;
}

Teacher::Teacher(const Program& program, const WeightLookup& weights, std::vector<uint32_t> wanted,
                 const TokenBatch& data, uint64_t budget, const at::Device& device, bool bf16)
    : program_(program), bf16_(bf16) {
  const std::set<uint32_t> distinct(wanted.begin(), wanted.end());
  wanted_.assign(distinct.begin(), distinct.end());
  for (const std::string& name : program.weights) weights_.push_back(decoded(weights(name), device));
  uint64_t bytes = 0;
  for (const uint32_t id : wanted_) {
    const bool tokens = program.values[id].rows == RowKind::tokens;
    bytes += 2 * uint64_t{program.values[id].width} * (tokens ? data.tokens() : data.sequences());
  }
  keeps_ = bytes <= budget;
  kept_.resize(data.sequences());
}

Values Teacher::compute(const TensorBatch& batch) const {
  const at::NoGradGuard no_gradients;
  Values values = interpret(program_, weights_, batch, {}, wanted_, bf16_);
  for (auto& [id, value] : values) value = halved(value);
  return values;
}

Values Teacher::outputs(std::span<const uint32_t> sequences, const TensorBatch& batch) {
  const at::NoGradGuard no_gradients;
  bool known = keeps_;
  for (const uint32_t s : sequences) known = known && !kept_[s].empty();
  Values values;
  if (known) {
    for (size_t i = 0; i < wanted_.size(); ++i) {
      std::vector<at::Tensor> parts;
      for (const uint32_t s : sequences) parts.push_back(kept_[s][i]);
      values[wanted_[i]] = at::cat(parts);
    }
  } else {
    values = compute(batch);
    int64_t row = 0;
    for (size_t s = 0; keeps_ && s < sequences.size(); ++s) {
      const auto length = static_cast<int64_t>(batch.lengths[static_cast<int64_t>(s)].item<float>());
      kept_[sequences[s]].clear();
      for (const uint32_t id : wanted_) {
        const bool tokens = program_.values[id].rows == RowKind::tokens;
        const at::Tensor rows =
            tokens ? values.at(id).narrow(0, row, length) : values.at(id).narrow(0, static_cast<int64_t>(s), 1);
        kept_[sequences[s]].push_back(rows.clone());
      }
      row += length;
    }
  }
  for (auto& [id, value] : values) value = value.to(at::kFloat);
  return values;
}

}  // namespace lathe::training
