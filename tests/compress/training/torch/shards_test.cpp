// How texts are divided among steps and threads.

#include "compress/training/torch/shards.h"

#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <numeric>

#include "compress/calibration/samples.h"

namespace lathe::training {
namespace {

TokenBatch batch_of(const std::vector<size_t>& lengths) {
  TokenBatch batch;
  for (const size_t length : lengths) batch.add(std::vector<int32_t>(length, 1));
  return batch;
}

TEST_CASE("shards hold every sequence once, whatever the lengths", "[compress][torch][shards]") {
  Random random(3);
  for (const size_t count : {1, 2, 3, 7, 16, 32, 100}) {
    for (const size_t longest : {1, 5, 60, 400}) {
      std::vector<size_t> lengths(count);
      for (size_t& length : lengths) length = 1 + random.below(longest);
      if (count > 3) lengths[1] = 2000;  // longer than all others together
      const TokenBatch batch = batch_of(lengths);
      std::vector<uint32_t> sequences(count);
      std::iota(sequences.begin(), sequences.end(), 0u);
      if (count > 2) sequences.erase(sequences.begin());
      const std::vector<Shard> shards = make_shards(batch, sequences);
      CAPTURE(count, longest, shards.size());
      CHECK(shards.size() >= 1);
      CHECK(shards.size() <= kMaxShards);
      std::vector<uint32_t> all;
      size_t shortest = SIZE_MAX;
      for (const Shard& shard : shards) {
        REQUIRE_FALSE(shard.empty());
        for (const uint32_t s : shard) {
          CHECK(batch.length(s) <= shortest);  // of similar length: from the longest to the shortest
          shortest = batch.length(s);
          all.push_back(s);
        }
      }
      std::sort(all.begin(), all.end());
      CHECK(all == sequences);
    }
  }
}

TEST_CASE("shards are a power of two and of about the same size", "[compress][torch][shards]") {
  const auto sizes = [](size_t count, size_t length) {
    const TokenBatch batch = batch_of(std::vector<size_t>(count, length));
    std::vector<uint32_t> sequences(count);
    std::iota(sequences.begin(), sequences.end(), 0u);
    std::vector<size_t> out;
    for (const Shard& shard : make_shards(batch, sequences)) out.push_back(shard.size());
    return out;
  };
  CHECK(sizes(32, 128) == std::vector<size_t>(8, 4));
  CHECK(sizes(32, 20) == std::vector<size_t>(2, 16));  // 640 tokens are enough for three shards
  CHECK(sizes(4, 10) == std::vector<size_t>{4});
  CHECK(sizes(3, 500) == std::vector<size_t>{2, 1});
}

TEST_CASE("each epoch takes every sequence once, in an order of its own", "[compress][torch][shards]") {
  constexpr size_t kCount = 37;
  std::vector<uint32_t> all(kCount);
  std::iota(all.begin(), all.end(), 0u);
  BatchOrder shuffle(kCount, 5);
  std::vector<std::vector<uint32_t>> epochs;
  for (uint64_t epoch = 0; epoch < 3; ++epoch) {
    epochs.push_back(shuffle.take(epoch * kCount, kCount));
    std::vector<uint32_t> sorted = epochs.back();
    std::sort(sorted.begin(), sorted.end());
    CHECK(sorted == all);
    CHECK(epochs.back() != all);
  }
  CHECK(epochs[0] != epochs[1]);
  CHECK(epochs[1] != epochs[2]);
  CHECK(BatchOrder(kCount, 6).take(0, kCount) != epochs[0]);
}

TEST_CASE("the order of sequences is the same from whatever position it is read", "[compress][torch][shards]") {
  BatchOrder whole(37, 5);
  const std::vector<uint32_t> order = whole.take(0, 150);
  for (const uint64_t position : {149u, 0u, 36u, 37u, 38u, 100u, 5u}) {
    BatchOrder fresh(37, 5);
    const size_t count = std::min<size_t>(20, 150 - position);
    const auto begin = order.begin() + static_cast<std::ptrdiff_t>(position);
    const std::vector<uint32_t> wanted(begin, begin + static_cast<std::ptrdiff_t>(count));
    CHECK(fresh.take(position, count) == wanted);
    CHECK(whole.take(position, count) == wanted);
  }
}

}  // namespace
}  // namespace lathe::training
