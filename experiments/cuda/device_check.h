#pragma once
// What only a device can show: that its kernels give what the CPU's give, and how fast they are.

#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "experiments/cuda/llama_shape.h"
#include "runtime/cuda/device.h"

namespace lathe::experiments {

/// What is checked and timed; a test makes everything small.
struct DeviceCheck {
  bool only_artifacts = false;         // compare them with the CPU and do nothing else
  std::vector<std::string> artifacts;  // run on both the device and the CPU; encoders are also timed
  uint32_t checked_layer = 4096;       // outputs and inputs of the largest layer that is compared with the CPU
  uint32_t timed_layer = 16384;        // 256 MB of int8, 128 MB of int4: more than the caches hold
  size_t copied_bytes = size_t{1} << 30;
  std::vector<LlamaShape> decoders = {kSmolLM2, kLlama1B, kLlama8B};
  std::vector<size_t> batches = {1, 8, 16, 32};
  size_t prompt = 512;
  size_t new_tokens = 48;
  std::vector<size_t> encoder_batches = {1, 256};
  size_t encoder_length = 128;
  int runs = 30;  // of an encoder; the median counts
};

/// Writes one JSON object, member by member, so that what was measured is not lost when the device is.
void check_device(const std::shared_ptr<cuda::Device>& device, const DeviceCheck& check, std::ostream& out);

}  // namespace lathe::experiments
