#pragma once
// Memory for packed weights. Generation reads all of it for every token, so it lies in large pages where the system has
// them.

#include <cstddef>
#include <vector>

namespace lathe::cpu {

/// Hands out pieces that live as long as it does. Not for use by several threads at once.
class PackedMemory {
 public:
  PackedMemory() = default;
  PackedMemory(PackedMemory&& other) noexcept = default;
  PackedMemory& operator=(PackedMemory&& other) = delete;
  ~PackedMemory();

  /// `bytes` bytes at a 64-byte boundary, all zero. Throws std::bad_alloc.
  std::byte* take(size_t bytes);

 private:
  struct Block {
    std::byte* data;
    size_t bytes;
  };
  std::vector<Block> blocks_;
  size_t used_ = 0;  // of the last block
};

}  // namespace lathe::cpu
