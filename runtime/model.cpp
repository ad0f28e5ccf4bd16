#include "runtime/model.h"

#include <algorithm>

namespace lathe {

Model::Model(Program program, const WeightLookup& weights, const std::string& where)
    : program_(std::move(program)), kernels_(chosen_isa()), store_(std::make_unique<WeightStore>()) {
  validate(
      program_, [&](const std::string& name) { return weights(name).shape; }, where);
  const auto note = [&](const std::string& name, const EncodedTensor& tensor, const char* kernel) {
    choices_.push_back({name, encoding_name(tensor.encoding), kernel});
  };
  for (const Op& op : program_.ops) {
    const auto name = [&](size_t slot) { return program_.weights[op.weights[slot]]; };
    if (const auto* embedding = op.as<ops::Embedding>()) {
      const EncodedTensor table = weights(name(0));
      const auto [at, is_new] = store_->tables.try_emplace(name(0), kernels_, table);
      if (is_new) note(name(0), table, at->second.kernel_name());
      size_t* const bounds[] = {&vocabulary_size_, &max_tokens_, &segment_kinds_};
      size_t& bound = *bounds[static_cast<size_t>(embedding->stream)];
      bound = std::min<size_t>(bound, table.rows());
    } else if (op.is<ops::Linear>()) {
      const EncodedTensor weight = weights(name(0));
      const std::optional<EncodedTensor> bias = op.has_weight(1) ? std::optional(weights(name(1))) : std::nullopt;
      const auto [at, is_new] = store_->linear.try_emplace(linear_key(program_, op), kernels_, store_->memory, weight,
                                                           bias ? &*bias : nullptr);
      if (is_new) note(name(0), weight, at->second.kernel_name());
    } else {
      for (size_t slot = 0; slot < op.weights.size(); ++slot) {
        store_->vectors.try_emplace(name(slot), decode(weights(name(slot))));
      }
    }
  }
  plan_ = make_plan(program_, *store_);
}

Model Model::open(const std::filesystem::path& path) {
  auto artifact = std::make_unique<Artifact>(Artifact::open(path));
  const auto lookup = [&](const std::string& name) { return artifact->tensor(name).tensor; };
  Model model(artifact->program(), lookup, artifact->file().path());
  model.artifact_ = std::move(artifact);
  return model;
}

Model Model::build(Program program, const WeightLookup& weights, const std::string& where) {
  return Model(std::move(program), weights, where);
}

size_t Model::packed_bytes() const {
  size_t total = 0;
  for (const auto& [name, weight] : store_->linear) total += weight.packed_bytes();
  return total;
}

}  // namespace lathe
