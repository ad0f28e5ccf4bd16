#pragma once
// All weights of a model, ready to run.

#include <map>
#include <string>
#include <vector>

#include "formats/artifact/program.h"
#include "runtime/cpu/weights.h"
#include "runtime/executor.h"

namespace lathe::cpu {

/// Loaded weights by name. The maps keep their entries in place, so that steps may point to them.
struct WeightStore {
  PackedMemory memory;
  /// By linear_key(): a packed weight includes its bias.
  std::map<std::string, LinearWeight> linear;
  std::map<std::string, TableWeight> tables;
  std::map<std::string, std::vector<float>> vectors;
  /// Which kernel runs each linear weight and table, in the order of the program.
  std::vector<KernelChoice> kernels;
  /// Bytes of all packed linear weights.
  size_t packed_bytes = 0;
};

/// Names the pair of weight and bias of a linear op.
std::string linear_key(const Program& program, const Op& op);

/// Packs every weight that the program names. `program` is valid. Planes of tables must outlive the store.
WeightStore load_weights(const Program& program, const WeightLookup& weights, const KernelSet& kernels);

}  // namespace lathe::cpu
