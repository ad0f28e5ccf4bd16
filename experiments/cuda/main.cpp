// device_check [--only-artifacts] [ARTIFACT...]: see device_check.h. experiments/cuda/device.sh runs it.

#include <iostream>

#include "experiments/cuda/device_check.h"
#include "runtime/cuda/executor.h"

int main(int argc, char** argv) {
  try {
    lathe::experiments::DeviceCheck check;
    check.artifacts.assign(argv + 1, argv + argc);
    check.only_artifacts = std::erase(check.artifacts, "--only-artifacts") > 0;
    lathe::experiments::check_device(lathe::cuda::open_device(), check, std::cout);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "device_check: " << error.what() << '\n';
    return 1;
  }
}
