#pragma once
// Which texts each optimizer step takes, and how they are divided among threads. The division depends on the texts
// alone, and sums over shards are taken in their order, so that no result depends on the number of threads.

#include <cstdint>
#include <vector>

#include "runtime/session.h"

namespace lathe::training {

/// Texts that one thread computes together: indices of sequences of a batch.
using Shard = std::vector<uint32_t>;

/// Divides these sequences of `data`, at least one, into shards of about the same number of tokens, each with sequences
/// of similar length. The number of shards is a power of two, so that they spread evenly over the usual numbers of
/// cores, or less where a long sequence fills the share of several; it is at most kMaxShards, because each shard has
/// gradients of its own, and small enough that a shard has about kShardTokens tokens.
std::vector<Shard> make_shards(const TokenBatch& data, std::vector<uint32_t> sequences);
inline constexpr size_t kMaxShards = 8;
inline constexpr size_t kShardTokens = 192;

/// An endless order of sequences: all of them, in an order drawn from the seed, and again in another order for each
/// epoch that follows. Not for use by several threads.
class BatchOrder {
 public:
  /// Of the sequences 0 to `sequences` - 1; at least one.
  BatchOrder(size_t sequences, uint64_t seed) : count_(sequences), seed_(seed) {}
  /// The `count` sequences from `position` on.
  std::vector<uint32_t> take(uint64_t position, size_t count);

 private:
  void draw(uint64_t epoch);

  size_t count_;
  uint64_t seed_;
  uint64_t epoch_ = UINT64_MAX;  // whose order was drawn last
  std::vector<uint32_t> order_;  // of that epoch
};

}  // namespace lathe::training
