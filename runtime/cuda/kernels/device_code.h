#pragma once
// Kernels are function templates over what a thread can do (a "Thread"), so that one text is compiled twice: by nvcc
// for the device, and by the C++ compiler for the tests' host execution layer, which runs the threads of a block as
// fibers.
//
// A Thread offers, as const members:
//   thread(), threads()            its index in the block, and how many the block has
//   lane(), warp()                 its index in its warp of 32, and the warp's in the block
//   block_x(), block_y(), block_z()
//   shared<T>()                    the block's shared memory
//   sync(), sync_warp()            barriers of the block and of the warp
//   shuffle(value, lane)           another lane's value; shuffle_xor(value, mask), shuffle_up(value, distance)
//   dot4(u8x4, s8x4, sum)          sum + the products of four bytes
//   pick_bytes(a, b, selector)     four of the eight bytes of a and b (PTX prmt)
//   count_bits(word), first_bit(word)
//   mma_u8s8(d, a, b)              d [16, 8] += a [16, 32] b [32, 8]; fragments as in "mma.m16n8k32" of the PTX ISA
//   mma_tf32(d, a, b)              d [16, 8] += a [16, 8] b [8, 8]; fragments as in "mma.m16n8k8" with .tf32
//   copy16(to, from, valid)        16 bytes from global to shared memory without waiting (PTX cp.async); zeros where
//   not
//                                  valid; commit_copies() closes a group, wait_copies<n>() waits for all but the last n
// Collective members (sync, shuffle, mma) are called by all threads of the block or the warp, in the same order.

#include <cstdint>
#include <cstring>

// The only macro of the project: how a function says that it runs on the device.
#ifdef __CUDACC__
#define LATHE_DEVICE __device__ __forceinline__
#else
#define LATHE_DEVICE inline
#endif

namespace lathe::cuda {

inline constexpr unsigned kWarp = 32;
inline constexpr unsigned kWholeBlock = 128;  // threads of a block, where a kernel says nothing else

LATHE_DEVICE float as_float(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

LATHE_DEVICE uint32_t as_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

LATHE_DEVICE float from_bf16(uint16_t bits) { return as_float(static_cast<uint32_t>(bits) << 16); }

/// IEEE 754 binary16; exact, subnormal numbers included.
LATHE_DEVICE float from_f16(uint16_t bits) {
  const float magnitude = as_float(static_cast<uint32_t>(bits & 0x7fff) << 13) * as_float(0x77800000);  // times 2^112
  const uint32_t special = magnitude >= 65536.0f ? 0x7f800000 : 0;  // infinity and NaN keep their exponent
  return as_float(as_bits(magnitude) | special | static_cast<uint32_t>(bits & 0x8000) << 16);
}

/// Rounds to nearest even; too large becomes infinite.
LATHE_DEVICE uint16_t to_f16(float value) {
  const uint32_t bits = as_bits(value);
  const uint32_t sign = bits >> 16 & 0x8000;
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return static_cast<uint16_t>(sign | 0x7e00);   // NaN
  if (magnitude >= 0x47800000) return static_cast<uint16_t>(sign | 0x7c00);  // 65536 and above
  if (magnitude < 0x38800000) {  // below 2^-14: the sum with 0.5 has steps of 2^-24, as subnormal numbers do
    return static_cast<uint16_t>(sign | (as_bits(as_float(magnitude) + 0.5f) - 0x3f000000));
  }
  const uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
  return static_cast<uint16_t>(sign | (rounded - 0x38000000) >> 13);
}

/// Numbers in memory that was written as numbers of another type, or as bytes.
using AnyFloat = float __attribute__((may_alias));
using AnyHalf = uint16_t __attribute__((may_alias));
using AnyWord = uint32_t __attribute__((may_alias));
struct __attribute__((may_alias, aligned(16))) Bytes16 {
  uint32_t words[4];
};

/// Calls visit(index) for the indices below `count`, each a constant of its own, so that what they address can stay in
/// registers.
template <unsigned count, unsigned at = 0, class Visit>
LATHE_DEVICE void unrolled(const Visit& visit) {
  if constexpr (at < count) {
    visit(at);
    unrolled<count, at + 1>(visit);
  }
}

LATHE_DEVICE Bytes16 load16(const unsigned char* from) { return *reinterpret_cast<const Bytes16*>(from); }

template <class Thread>
LATHE_DEVICE float warp_sum(const Thread& t, float value) {
  for (unsigned mask = kWarp / 2; mask > 0; mask /= 2) value += t.shuffle_xor(value, mask);
  return value;
}

template <class Thread>
LATHE_DEVICE int warp_sum(const Thread& t, int value) {
  for (unsigned mask = kWarp / 2; mask > 0; mask /= 2) value += t.shuffle_xor(value, mask);
  return value;
}

template <class Thread>
LATHE_DEVICE float warp_max(const Thread& t, float value) {
  for (unsigned mask = kWarp / 2; mask > 0; mask /= 2) value = fmaxf(value, t.shuffle_xor(value, mask));
  return value;
}

}  // namespace lathe::cuda
