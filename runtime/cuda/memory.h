#pragma once
// Memory of a device, and of the host beside it, with one owner.

#include <cstddef>
#include <utility>

#include "runtime/cuda/device.h"

namespace lathe::cuda {

enum class MemoryKind {
  device,
  pinned,  // of the host, where the device can reach it
};

/// Memory that is given back in the end. The device outlives it.
template <MemoryKind kind>
class OwnedMemory {
 public:
  OwnedMemory() = default;
  /// Throws Error{limit} that names `what`.
  OwnedMemory(Device& device, size_t bytes, const char* what) : device_(&device), bytes_(bytes) {
    if (bytes > 0)
      data_ = kind == MemoryKind::device ? device.allocate(bytes, what) : device.allocate_pinned(bytes, what);
  }
  OwnedMemory(OwnedMemory&& other) noexcept { swap(other); }
  OwnedMemory& operator=(OwnedMemory&& other) noexcept {
    swap(other);
    return *this;
  }
  ~OwnedMemory() {
    if (data_ == nullptr) return;
    kind == MemoryKind::device ? device_->release(data_) : device_->release_pinned(data_);
  }

  std::byte* data() const { return static_cast<std::byte*>(data_); }
  size_t bytes() const { return bytes_; }

 private:
  void swap(OwnedMemory& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
  }

  Device* device_ = nullptr;
  void* data_ = nullptr;
  size_t bytes_ = 0;
};
using DeviceMemory = OwnedMemory<MemoryKind::device>;
using PinnedMemory = OwnedMemory<MemoryKind::pinned>;

/// Hands out pieces of memory one after another, each at a multiple of 256 bytes. First run over the same requests with
/// a null base to learn how much is needed.
class Arena {
 public:
  explicit Arena(std::byte* base = nullptr) : base_(base) {}

  template <class T>
  T* take(size_t count) {
    const size_t at = used_;
    used_ += (count * sizeof(T) + 255) / 256 * 256;
    return reinterpret_cast<T*>(base_ == nullptr ? nullptr : base_ + at);
  }
  size_t used() const { return used_; }

 private:
  std::byte* base_;
  size_t used_ = 0;
};

/// Memory for what place(arena) takes, which is called twice: to learn how much that is, and to give it its places.
template <class Place>
DeviceMemory allocate_pieces(Device& device, const char* what, const Place& place) {
  Arena sizes;
  place(sizes);
  DeviceMemory memory(device, sizes.used(), what);
  Arena arena(memory.data());
  place(arena);
  return memory;
}

}  // namespace lathe::cuda
