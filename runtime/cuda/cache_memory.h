#pragma once
// Keys and values of a cache in memory of the device.

#include <vector>

#include "runtime/cuda/plan.h"

namespace lathe::cuda {

/// For each attention [sequences, kv_heads, capacity, head_width] keys, then values, then of int8 the scales of both.
class CacheMemory : public lathe::CacheMemory {
 public:
  /// Throws Error{limit} naming need and free when the device has no room.
  CacheMemory(Device& device, const Plan& plan, size_t sequences, size_t capacity, CacheType type);

  size_t bytes() const override { return memory_.bytes(); }
  KeySource source() const { return source_; }
  size_t capacity() const { return capacity_; }
  /// Where the keys and values of an attention are; those of the batch stay null.
  const KeysView& layer(size_t attention) const { return layers_[attention]; }
  /// No other cache of this process has the same.
  uint64_t id() const { return id_; }

 private:
  KeySource source_;
  size_t capacity_;
  uint64_t id_;
  std::vector<KeysView> layers_;
  DeviceMemory memory_;
};

}  // namespace lathe::cuda
