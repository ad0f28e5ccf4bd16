// The program for a device runs to its end on the host double, so that the first minute on a device is not spent on
// what could have been seen before.

#include "experiments/cuda/device_check.h"

#include <catch2/catch.hpp>
#include <iostream>

#include "tests/runtime/cuda/host/host_device.h"
#include "tests/support/golden.h"

namespace lathe {

TEST_CASE("the check for a device runs from its first line to its last", "[runtime][cuda]") {
  experiments::DeviceCheck check;
  for (const char* name : {"encoder-int8", "llama-int8-8-bit-inputs"}) {
    check.artifacts.push_back(test::data_path(std::string("golden/") + name + ".lathe").string());
  }
  check.checked_layer = 64;
  check.timed_layer = 128;
  check.copied_bytes = 4096;
  check.decoders = {{"tiny", 2, 64, 4, 2, 96, 50}};
  check.batches = {1, 3};
  check.prompt = 9;
  check.new_tokens = 3;
  check.encoder_batches = {2};
  check.encoder_length = 8;
  check.runs = 2;
  // device_table.py reads what is written here.
  CHECK_NOTHROW(experiments::check_device(std::make_shared<test::HostDevice>(), check, std::cout));
}

}  // namespace lathe
