#pragma once
// A double of a CUDA device on the host: it really allocates, copies, runs the kernels' own code, and records and
// replays graphs.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/cuda/device.h"
#include "tests/runtime/cuda/host/block_run.h"

namespace lathe::test {

struct HostDeviceOptions {
  ThreadOrder order = ThreadOrder::forward;
  uint64_t seed = 0;
  /// Work waits until somebody waits for it, as on a slow device; otherwise it is done at once, as on a fast one.
  bool lazy = false;
  size_t memory_bytes = size_t{8} << 30;
  unsigned multiprocessors = 4;
  /// The launch after so many fails as when a device is lost; negative: none.
  long fails_after = -1;
};

/// Memory is filled with a pattern and stands between guard bytes, which are checked after every launch.
class HostDevice : public cuda::Device {
 public:
  explicit HostDevice(const HostDeviceOptions& options = {});
  ~HostDevice() override;

  const cuda::DeviceFacts& facts() const override { return facts_; }
  size_t free_bytes() const override { return options_.memory_bytes - used_; }
  void* allocate(size_t bytes, const char* what) override;
  void release(void* memory) noexcept override;
  void* allocate_pinned(size_t bytes, const char* what) override;
  void release_pinned(void* memory) noexcept override;
  std::unique_ptr<cuda::Queue> make_queue() override;

  /// Throws Error{internal} naming `what` when a guard byte has changed.
  void check_guards(const std::string& what) const;
  void run_kernel(const cuda::Launch& launch, const void* arguments);

  /// Of all queues, graphs included.
  size_t launches() const { return launches_; }
  size_t allocations() const { return blocks_.size(); }

 private:
  HostDeviceOptions options_;
  cuda::DeviceFacts facts_;
  size_t used_ = 0;
  size_t launches_ = 0;
  std::map<const std::byte*, std::vector<std::byte>> blocks_;  // by the address that the caller has
};

}  // namespace lathe::test
