#pragma once
// The weights of a program in memory of a device, in one piece, uploaded once.

#include <map>
#include <span>
#include <string>
#include <vector>

#include "formats/artifact/program.h"
#include "runtime/cuda/kernels/arguments.h"
#include "runtime/cuda/memory.h"
#include "runtime/executor.h"

namespace lathe::cuda {

struct WeightStore {
  DeviceMemory memory;
  /// Matrices: weights of linear layers, and tables. By name.
  std::map<std::string, WeightView> matrices;
  /// Biases, and the vectors of norms and ropes.
  std::map<std::string, std::span<const float>> vectors;
  /// For the activation gelu: [5][16].
  const float* gelu_table = nullptr;
  /// Which kernels run each linear weight and table, in the order of the program.
  std::vector<KernelChoice> kernels;
};

/// Uploads every weight that the program names. `program` is valid. Throws Error{limit} when they do not fit, naming
/// need and free.
WeightStore upload_weights(Device& device, const Program& program, const WeightLookup& weights);

/// "int8", "int4", "int8_bitmask": what kernels call the format.
const char* format_name(Format format);
constexpr bool is_integer(Format format) { return format >= Format::int8; }

}  // namespace lathe::cuda
