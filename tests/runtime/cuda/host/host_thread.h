#pragma once
// What a thread of a kernel can do (runtime/cuda/kernels/device_code.h), on the host.

#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "tests/runtime/cuda/host/block_run.h"

namespace lathe::test {

class HostThread {
 public:
  HostThread(BlockRun& block, unsigned thread) : block_(block), thread_(thread) {}

  unsigned thread() const { return thread_; }
  unsigned threads() const { return block_.threads(); }
  unsigned lane() const { return thread_ % 32; }
  unsigned warp() const { return thread_ / 32; }
  unsigned block_x() const { return block_.block().x; }
  unsigned block_y() const { return block_.block().y; }
  unsigned block_z() const { return block_.block().z; }
  template <class T>
  T* shared() const {
    return reinterpret_cast<T*>(block_.shared());
  }

  void sync() const { block_.sync(thread_); }
  void sync_warp() const { block_.exchange(thread_, kSync, {}); }

  template <class V>
  V shuffle(V value, unsigned lane) const {
    return value_of<V>(block_.exchange(thread_, kShuffle, words_of(value))[lane % 32]);
  }
  template <class V>
  V shuffle_xor(V value, unsigned mask) const {
    return value_of<V>(block_.exchange(thread_, kShuffleXor, words_of(value))[lane() ^ mask]);
  }
  template <class V>
  V shuffle_up(V value, unsigned distance) const {
    const unsigned from = lane() < distance ? lane() : lane() - distance;
    return value_of<V>(block_.exchange(thread_, kShuffleUp, words_of(value))[from]);
  }

  int dot4(uint32_t a, uint32_t b, int sum) const {
    for (unsigned i = 0; i < 4; ++i) sum += unsigned_byte(a, i) * signed_byte(b, i);
    return sum;
  }
  uint32_t pick_bytes(uint32_t a, uint32_t b, uint32_t selector) const {
    const uint64_t bytes = static_cast<uint64_t>(b) << 32 | a;
    uint32_t result = 0;
    for (unsigned i = 0; i < 4; ++i) {
      result |= static_cast<uint32_t>(bytes >> (8 * (selector >> (4 * i) & 7)) & 0xff) << (8 * i);
    }
    return result;
  }
  unsigned count_bits(uint32_t word) const { return static_cast<unsigned>(std::popcount(word)); }
  unsigned first_bit(uint32_t word) const { return static_cast<unsigned>(std::countr_zero(word)); }

  void mma_u8s8(int (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) const {
    const auto& all = block_.exchange(thread_, kMmaInteger, {a[0], a[1], a[2], a[3], b[0], b[1]});
    for (unsigned n = 0; n < 4; ++n) {
      const unsigned row = lane() / 4 + 8 * (n / 2);
      const unsigned column = 2 * (lane() % 4) + n % 2;
      for (unsigned k = 0; k < 32; ++k) {
        const uint32_t a_word = all[row % 8 * 4 + k % 16 / 4][row / 8 + k / 16 * 2];
        const uint32_t b_word = all[column * 4 + k % 16 / 4][4 + k / 16];
        d[n] += unsigned_byte(a_word, k % 4) * signed_byte(b_word, k % 4);
      }
    }
  }
  void mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) const {
    const auto& all = block_.exchange(thread_, kMmaFloat, {a[0], a[1], a[2], a[3], b[0], b[1]});
    for (unsigned n = 0; n < 4; ++n) {
      const unsigned row = lane() / 4 + 8 * (n / 2);
      const unsigned column = 2 * (lane() % 4) + n % 2;
      for (unsigned k = 0; k < 8; ++k) {
        const float x = tf32(all[row % 8 * 4 + k % 4][row / 8 + k / 4 * 2]);
        const float w = tf32(all[column * 4 + k % 4][4 + k / 4]);
        d[n] += x * w;
      }
    }
  }

  /// Copies are done as late as the device may do them: when they are waited for.
  void copy16(void* to, const void* from, bool valid) const { copies_.push_back({to, valid ? from : nullptr}); }
  void commit_copies() const { groups_.push_back(copies_.size()); }
  template <unsigned pending>
  void wait_copies() const {
    if (groups_.size() <= pending) return;
    const size_t end = groups_[groups_.size() - pending - 1];
    for (; copied_ < end; ++copied_) {
      const Copy& copy = copies_[copied_];
      copy.from == nullptr ? std::memset(copy.to, 0, 16) : std::memcpy(copy.to, copy.from, 16);
    }
  }

 private:
  enum Collective { kSync, kShuffle, kShuffleXor, kShuffleUp, kMmaInteger, kMmaFloat };
  struct Copy {
    void* to;
    const void* from;  // null: zeros
  };

  template <class V>
  static LaneWords words_of(V value) {
    static_assert(sizeof(V) == 4);
    return {std::bit_cast<uint32_t>(value)};
  }
  template <class V>
  static V value_of(const LaneWords& words) {
    return std::bit_cast<V>(words[0]);
  }
  static int unsigned_byte(uint32_t word, unsigned i) { return static_cast<int>(word >> (8 * i) & 0xff); }
  static int signed_byte(uint32_t word, unsigned i) { return static_cast<int8_t>(word >> (8 * i) & 0xff); }
  static float tf32(uint32_t bits) { return std::bit_cast<float>(bits & 0xffffe000u); }

  BlockRun& block_;
  unsigned thread_;
  mutable std::vector<Copy> copies_;
  mutable std::vector<size_t> groups_;
  mutable size_t copied_ = 0;
};

}  // namespace lathe::test
