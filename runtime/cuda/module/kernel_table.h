#pragma once
// The kernels as the CUDA runtime launches them.

#include <cuda_runtime.h>

#include <cstddef>

namespace lathe::cuda {

struct KernelEntry {
  const void* function;
  unsigned threads;
};
/// Kernel `index` of KernelList.
const KernelEntry& kernel_entry(size_t index);

}  // namespace lathe::cuda
