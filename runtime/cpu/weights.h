#pragma once
// Weights as the executor uses them: packed for the kernel that was chosen when the model was opened.

#include <string>
#include <utility>
#include <vector>

#include "formats/artifact/encoding.h"
#include "runtime/aligned_buffer.h"
#include "runtime/cpu/isa.h"
#include "runtime/cpu/kernels/registry.h"
#include "runtime/cpu/packed_memory.h"

namespace lathe::cpu {

/// The kernels that one model uses: the best rows of the kernel tables that the level `isa` can run.
struct KernelSet {
  explicit KernelSet(Isa isa);

  Isa isa;
  const kernels::RowKernels* rows;
  const kernels::FloatLinearKernel* float_linear;
  /// The best kernel of that format that takes the weight; null when there is none.
  const kernels::IntegerLinearKernel* integer_linear(kernels::IntegerFormat format,
                                                     const kernels::IntegerWeight& weight) const;
};

/// A linear layer, ready to run; immutable. Its packed copy lies in `memory`.
class LinearWeight {
 public:
  /// `bias` may be null (no bias). The tensors are only read during construction.
  LinearWeight(const KernelSet& kernels, PackedMemory& memory, const EncodedTensor& weight, const EncodedTensor* bias);

  bool is_integer() const { return integer_kernel_ != nullptr; }
  size_t outputs() const { return outputs_; }
  size_t inputs() const { return inputs_; }
  size_t scratch_bytes() const;
  const char* kernel_name() const;
  size_t packed_bytes() const { return packed_bytes_; }

  /// Rows of f32 in, rows of f32 out; for weights that are not integer.
  void run(const float* x, size_t x_stride, size_t rows, kernels::Epilogue epilogue, float* y, size_t y_stride,
           kernels::Part part = {}) const;
  /// Quantized rows in, rows of f32 out; for integer weights. Sets `weight` of `args`. Leaves out the bias where
  /// `with_bias` is false.
  void run(kernels::IntegerLinearArgs args, bool with_bias = true) const;
  /// The outputs [first, second) that a part computes; for integer weights.
  std::pair<size_t, size_t> outputs_of(kernels::Part part) const;
  /// Readable up to the next multiple of 64 outputs.
  const float* bias() const { return bias_.data(); }

 private:
  void pack_integer(const KernelSet& kernels, PackedMemory& memory, const EncodedTensor& weight);
  void pack_float(const KernelSet& kernels, PackedMemory& memory, const EncodedTensor& weight);

  size_t outputs_;
  size_t inputs_;
  const kernels::IntegerLinearKernel* integer_kernel_ = nullptr;
  const kernels::FloatLinearKernel* float_kernel_ = nullptr;
  const std::byte* packed_ = nullptr;
  size_t packed_bytes_ = 0;
  std::vector<float> bias_;
  std::vector<float> no_bias_;
  std::vector<float> scales_;
  std::vector<int32_t> column_sums_;
  size_t group_ = 0;
};

/// An embedding table. Borrows the planes, which usually stand in a mapped file, so that only rows that are used become
/// resident.
class TableWeight {
 public:
  TableWeight(const KernelSet& kernels, const EncodedTensor& table);

  size_t rows() const { return tensor_.rows(); }
  size_t width() const { return tensor_.cols(); }
  const char* kernel_name() const;
  /// Writes row `index` (below rows()) to y. `scratch` has width() entries.
  void gather(size_t index, int8_t* scratch, float* y) const;

 private:
  uint64_t row_start(size_t index) const;

  const kernels::RowKernels* kernels_;
  EncodedTensor tensor_;
  std::vector<uint64_t> row_starts_;  // bitmask only
};

}  // namespace lathe::cpu
