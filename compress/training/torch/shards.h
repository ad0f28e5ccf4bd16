#pragma once
// How the texts of one step are divided among threads. The division depends on the texts alone, and sums over shards
// are taken in their order, so that a result does not depend on the number of threads.

#include <cstdint>
#include <vector>

#include "runtime/session.h"

namespace lathe::training {

using Shard = std::vector<uint32_t>;  // indices of sequences

/// Shards of about the same number of tokens and of sequences of similar length: a power of two of them, so that they
/// spread evenly over the usual numbers of cores, and at most kMaxShards, because each has gradients of its own.
std::vector<Shard> make_shards(const TokenBatch& data, std::vector<uint32_t> sequences);
inline constexpr size_t kMaxShards = 8;
inline constexpr size_t kShardTokens = 192;

/// The sequences of each step: all of them in an order drawn anew for each epoch from the seed.
class Shuffle {
 public:
  Shuffle(size_t sequences, uint64_t seed) : count_(sequences), seed_(seed) {}
  /// `count` sequences, beginning with the one at `position` of the endless order.
  std::vector<uint32_t> take(uint64_t position, size_t count);

 private:
  void draw(uint64_t epoch);

  size_t count_;
  uint64_t seed_;
  uint64_t epoch_ = UINT64_MAX;
  std::vector<uint32_t> order_;
};

}  // namespace lathe::training
