#include "compress/training/torch/shards.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "compress/calibration/samples.h"

namespace lathe::training {

std::vector<Shard> make_shards(const TokenBatch& data, std::vector<uint32_t> sequences) {
  std::stable_sort(sequences.begin(), sequences.end(),
                   [&](uint32_t a, uint32_t b) { return data.length(a) > data.length(b); });
  size_t tokens = 0;
  for (const uint32_t s : sequences) tokens += data.length(s);
  const size_t most = std::clamp<size_t>(tokens / kShardTokens, 1, std::min(kMaxShards, sequences.size()));
  const size_t count = std::bit_floor(most);
  std::vector<Shard> shards(count);
  size_t done = 0;
  for (const uint32_t s : sequences) {
    shards[std::min(count - 1, done * count / tokens)].push_back(s);
    done += data.length(s);
  }
  std::erase_if(shards, [](const Shard& shard) { return shard.empty(); });
  return shards;
}

void BatchOrder::draw(uint64_t epoch) {
  epoch_ = epoch;
  order_.resize(count_);
  std::iota(order_.begin(), order_.end(), 0u);
  Random random(seed_ * 0x9e3779b97f4a7c15u + epoch + 1);
  for (size_t i = count_; i > 1; --i) std::swap(order_[i - 1], order_[random.below(i)]);
}

std::vector<uint32_t> BatchOrder::take(uint64_t position, size_t count) {
  std::vector<uint32_t> taken;
  for (; taken.size() < count; ++position) {
    if (position / count_ != epoch_) draw(position / count_);
    taken.push_back(order_[position % count_]);
  }
  return taken;
}

}  // namespace lathe::training
