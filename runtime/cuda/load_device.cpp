// The device of this machine, through the module that holds the kernels.

#include "runtime/cuda/executor.h"
#include "runtime/dynamic_module.h"

namespace lathe::cuda {

// Opened once; a failure is tried again by the next call.
std::shared_ptr<Device> open_device() {
  static const std::shared_ptr<Device> device = [] {
    void* entry = load_module_function("lathe-cuda.so", "lathe_open_cuda_device",
                                       "running models on a CUDA device needs it; build Lathe where nvcc is found");
    return std::shared_ptr<Device>(reinterpret_cast<Device* (*)()>(entry)());
  }();
  return device;
}

std::unique_ptr<Executor> make_executor(const Program& program, const WeightLookup& weights) {
  return make_executor(open_device(), program, weights);
}

size_t free_bytes() { return open_device()->free_bytes(); }

std::string instruction_set() { return instruction_set_of(open_device()->facts()); }

}  // namespace lathe::cuda
