#include "formats/pytorch/strided.h"

#include <array>

namespace lathe {
namespace {

uint8_t reversed(uint8_t value) { return value; }
uint16_t reversed(uint16_t value) { return __builtin_bswap16(value); }
uint32_t reversed(uint32_t value) { return __builtin_bswap32(value); }
uint64_t reversed(uint64_t value) { return __builtin_bswap64(value); }

template <class Element>
void gather(const PickleTensor& tensor, Bytes storage, bool reverse_bytes, std::byte* out) {
  const size_t rank = tensor.shape.size();
  uint64_t count = 1;
  for (const uint64_t dim : tensor.shape) count *= dim;
  std::array<uint64_t, kMaxRank> index{};
  uint64_t at = tensor.offset;
  for (uint64_t i = 0; i < count; ++i, out += sizeof(Element)) {
    const auto value = load_le<Element>(storage.data() + at * sizeof(Element));
    store_le(reverse_bytes ? reversed(value) : value, out);
    // The next element: the last dimension counts fastest.
    for (size_t d = rank; d > 0; --d) {
      at += tensor.strides[d - 1];
      if (++index[d - 1] < tensor.shape[d - 1]) break;
      at -= tensor.strides[d - 1] * tensor.shape[d - 1];
      index[d - 1] = 0;
    }
  }
}

}  // namespace

bool is_contiguous(const PickleTensor& tensor) noexcept {
  uint64_t expected = 1;
  for (size_t i = tensor.shape.size(); i > 0; --i) {
    const uint64_t dim = tensor.shape[i - 1];
    if (dim == 0) return true;
    if (dim != 1 && tensor.strides[i - 1] != expected) return false;
    expected *= dim;
  }
  return true;
}

void gather_elements(const PickleTensor& tensor, Bytes storage, bool reverse_bytes, std::byte* out) noexcept {
  using Gather = void (*)(const PickleTensor&, Bytes, bool, std::byte*);
  constexpr std::array<Gather, 9> kByWidth = {nullptr, gather<uint8_t>,  gather<uint16_t>,
                                              nullptr, gather<uint32_t>, nullptr,
                                              nullptr, nullptr,          gather<uint64_t>};
  kByWidth[tensor.type->bytes](tensor, storage, reverse_bytes, out);
}

}  // namespace lathe
