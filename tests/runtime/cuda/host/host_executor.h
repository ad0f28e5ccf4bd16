#pragma once
// Models that run on the host double of a CUDA device.

#include <memory>

#include "runtime/cuda/executor.h"
#include "tests/runtime/cuda/host/host_device.h"

namespace lathe::test {

inline MakeExecutor on_host_device(std::shared_ptr<HostDevice> device) {
  return [device = std::move(device)](const Program& program, const WeightLookup& weights) {
    return cuda::make_executor(device, program, weights);
  };
}
inline MakeExecutor on_host_device(const HostDeviceOptions& options = {}) {
  return on_host_device(std::make_shared<HostDevice>(options));
}

}  // namespace lathe::test
