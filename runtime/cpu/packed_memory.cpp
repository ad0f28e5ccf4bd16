#include "runtime/cpu/packed_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

#include "formats/artifact/bytes.h"

namespace lathe::cpu {
namespace {

constexpr size_t kLargePage = size_t{2} << 20;
constexpr size_t kBlock = size_t{64} << 20;  // of address space: pages become resident when they are written

}  // namespace

PackedMemory::~PackedMemory() {
  for (const Block& block : blocks_) ::munmap(block.data, block.bytes);
}

std::byte* PackedMemory::take(size_t bytes) {
  const size_t wanted = round_up(bytes, 64);
  if (blocks_.empty() || blocks_.back().bytes - used_ < wanted) {
    // One large page more than asked for, so that a boundary of one lies inside.
    const size_t size = std::max(kBlock, round_up(wanted, kLargePage)) + kLargePage;
    void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED) throw std::bad_alloc();
    ::madvise(data, size, MADV_HUGEPAGE);  // a hint: without it everything works, slower
    blocks_.push_back({static_cast<std::byte*>(data), size});
    used_ = round_up(reinterpret_cast<size_t>(data), kLargePage) - reinterpret_cast<size_t>(data);
  }
  std::byte* piece = blocks_.back().data + used_;
  used_ += wanted;
  return piece;
}

}  // namespace lathe::cpu
