#pragma once
// A weight in the layout of the device: its parts, each to be copied as it is.

#include <vector>

#include "formats/artifact/encoding.h"
#include "runtime/cuda/kernels/arguments.h"

namespace lathe::cuda {

/// The layout that suits the kernels: the planes of the file with rows at multiples of 16 bytes. What no kernel reads
/// as the file has it becomes dense: floats lose their mask; int4 whose groups are no multiples of 32 columns, and
/// value types without kernels, become int8 or f32.
Format device_format(const EncodedTensor& tensor);

/// Sizes and format of the weight; its pointers are null.
WeightView describe(const EncodedTensor& tensor);

/// The parts of a weight in host memory. A part that its format does not have is empty.
struct PackedWeight {
  std::vector<std::byte> values;
  std::vector<uint64_t> row_starts;
  std::vector<uint32_t> mask;
  std::vector<uint8_t> multipliers;
  std::vector<float> row_scales;
};
/// Rows [first, end) of the weight; the whole weight where the device keeps its mask. `starts` is row_starts(tensor).
PackedWeight pack(const EncodedTensor& tensor, const std::vector<uint64_t>& starts, uint64_t first, uint64_t end);

/// Bytes of the values as pack() writes them.
uint64_t packed_value_bytes(const EncodedTensor& tensor);

}  // namespace lathe::cuda
