#pragma once
// Launching a kernel of the list by its type.

#include "runtime/cuda/device.h"
#include "runtime/cuda/kernels/kernel_list.h"

namespace lathe::cuda {

/// `shared_bytes` is needed only by kernels whose need depends on their arguments.
template <class Kernel>
void launch(Queue& queue, const Grid& grid, const typename Kernel::Args& arguments, unsigned shared_bytes = 0) {
  if constexpr (requires { Kernel::kSharedBytes; }) shared_bytes = Kernel::kSharedBytes;
  queue.launch({kernel_index<Kernel>(), grid, shared_bytes}, &arguments, sizeof arguments);
}

/// Blocks of `size` that cover `count`.
inline unsigned blocks_for(size_t count, size_t size) { return static_cast<unsigned>((count + size - 1) / size); }

}  // namespace lathe::cuda
