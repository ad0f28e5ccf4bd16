#include "runtime/cpu/weight_store.h"

#include <optional>

namespace lathe::cpu {
namespace {

void load_table(const EncodedTensor& table, const std::string& name, const KernelSet& kernels, WeightStore& store) {
  const auto [at, is_new] = store.tables.try_emplace(name, kernels, table);
  if (is_new) store.kernels.push_back({name, encoding_name(table.encoding), at->second.kernel_name()});
}

void load_linear(const Program& program, const Op& op, const WeightLookup& weights, const KernelSet& kernels,
                 WeightStore& store) {
  const std::string& name = program.weights[op.weights[0]];
  const EncodedTensor weight = weights(name);
  const auto bias = op.has_weight(1) ? std::optional(weights(program.weights[op.weights[1]])) : std::nullopt;
  const auto [at, is_new] =
      store.linear.try_emplace(linear_key(program, op), kernels, store.memory, weight, bias ? &*bias : nullptr);
  if (!is_new) return;
  store.kernels.push_back({name, encoding_name(weight.encoding), at->second.kernel_name()});
  store.packed_bytes += at->second.packed_bytes();
}

}  // namespace

std::string linear_key(const Program& program, const Op& op) {
  return program.weights[op.weights[0]] + "\n" + (op.has_weight(1) ? program.weights[op.weights[1]] : "");
}

WeightStore load_weights(const Program& program, const WeightLookup& weights, const KernelSet& kernels) {
  WeightStore store;
  for (const Op& op : program.ops) {
    if (op.is<ops::Embedding>()) {
      const std::string& name = program.weights[op.weights[0]];
      load_table(weights(name), name, kernels, store);
    } else if (op.is<ops::Linear>()) {
      load_linear(program, op, weights, kernels, store);
    } else {
      for (const uint32_t index : op.weights) {
        const std::string& name = program.weights[index];
        store.vectors.try_emplace(name, decode(weights(name)));
      }
    }
  }
  return store;
}

}  // namespace lathe::cpu
