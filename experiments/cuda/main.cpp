// device_check [--only-artifacts] [ARTIFACT...]: see device_check.h. experiments/cuda/device.sh runs it.

#include <cstdio>

#include "experiments/cuda/device_check.h"
#include "runtime/cuda/executor.h"

int main(int argc, char** argv) {
  try {
    lathe::experiments::DeviceCheck check;
    check.artifacts.assign(argv + 1, argv + argc);
    check.only_artifacts = std::erase(check.artifacts, "--only-artifacts") > 0;
    lathe::experiments::check_device(lathe::cuda::open_device(), check);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "device_check: %s\n", error.what());
    return 1;
  }
}
