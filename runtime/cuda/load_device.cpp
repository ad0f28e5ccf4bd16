// The device of this machine, through the module that holds the kernels.

#include <mutex>

#include "runtime/cuda/executor.h"
#include "runtime/dynamic_module.h"

namespace lathe::cuda {

std::shared_ptr<Device> open_device() {
  static std::mutex mutex;
  static std::weak_ptr<Device> open;
  const std::lock_guard lock(mutex);
  if (std::shared_ptr<Device> device = open.lock()) return device;
  void* entry = load_module_function("lathe-cuda.so", "lathe_open_cuda_device",
                                     "running models on a CUDA device needs it; build Lathe where nvcc is found");
  std::shared_ptr<Device> device(reinterpret_cast<Device* (*)()>(entry)());
  open = device;
  return device;
}

std::unique_ptr<Executor> make_executor(const Program& program, const WeightLookup& weights) {
  return make_executor(open_device(), program, weights);
}

size_t free_bytes() { return open_device()->free_bytes(); }

std::string instruction_set() { return instruction_set_of(open_device()->facts()); }

}  // namespace lathe::cuda
