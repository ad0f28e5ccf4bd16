// Compiles every kernel of the list.

#include <array>
#include <utility>

#include "runtime/cuda/kernels/kernel_list.h"
#include "runtime/cuda/module/cuda_thread.cuh"
#include "runtime/cuda/module/kernel_table.h"

namespace lathe::cuda {
namespace {

template <class Kernel>
__global__ void __launch_bounds__(Kernel::kThreads) entry(const __grid_constant__ typename Kernel::Args arguments) {
  Kernel::run(CudaThread(), arguments);
}

template <size_t... at>
std::array<KernelEntry, sizeof...(at)> make_entries(std::index_sequence<at...>) {
  return {KernelEntry{reinterpret_cast<const void*>(&entry<std::tuple_element_t<at, KernelList>>),
                      std::tuple_element_t<at, KernelList>::kThreads}...};
}

}  // namespace

const KernelEntry& kernel_entry(size_t index) {
  static const std::array<KernelEntry, kKernels> kEntries = make_entries(std::make_index_sequence<kKernels>());
  return kEntries[index];
}

}  // namespace lathe::cuda
