#pragma once
// Attention by an online softmax: keys pass through shared memory in tiles, and no score is kept. The queries of a
// block share a head of keys and values: tokens one after another, or, where a token decodes alone, the heads of its
// group.

#include "runtime/cuda/kernels/numeric.h"

namespace lathe::cuda {

inline constexpr unsigned kKeyTile = kWarp;  // keys of a tile: one for each lane
inline constexpr unsigned kQueriesOfWarp = 2;
inline constexpr unsigned kQueriesOfBlock = kQueriesOfWarp * kWholeBlock / kWarp;
inline constexpr unsigned kLargestHead = 256;
inline constexpr unsigned kNumbersOfLane = kLargestHead / kWarp;
inline constexpr float kNoScore = -3.0e38f;

/// Shared memory: queries, a tile of keys, and the weights of a tile for each query.
constexpr unsigned attention_shared_bytes(unsigned head_width) {
  return 4 * (kQueriesOfBlock * head_width + kKeyTile * (head_width + 1) + kQueriesOfBlock * kKeyTile);
}

/// Keys or values of one head of one sequence.
template <KeySource source>
struct KeyRows {
  const unsigned char* rows;
  const float* scales;  // int8
  uint32_t stride;      // in elements

  LATHE_DEVICE float at(uint32_t token, uint32_t i) const {
    const uint64_t element = static_cast<uint64_t>(token) * stride + i;
    if constexpr (source == KeySource::batch) return reinterpret_cast<const AnyFloat*>(rows)[element];
    if constexpr (source == KeySource::cache_f16) return from_f16(reinterpret_cast<const AnyHalf*>(rows)[element]);
    return scales[token] * static_cast<float>(static_cast<signed char>(rows[element]));
  }
};

/// The rows of a head: `values` chooses between keys and values.
template <KeySource source>
LATHE_DEVICE KeyRows<source> key_rows(const AttentionArgs& a, uint32_t sequence, uint32_t kv_head, bool values) {
  if constexpr (source == KeySource::batch) {
    const uint32_t width = a.kv_heads * a.head_width;
    const float* rows = values ? a.keys.batch_values : a.keys.batch_keys;
    const float* first = rows + static_cast<uint64_t>(a.sequences.starts[sequence]) * width + kv_head * a.head_width;
    return {reinterpret_cast<const unsigned char*>(first), nullptr, width};
  } else {
    const uint64_t head = static_cast<uint64_t>(a.sequences.slots[sequence]) * a.kv_heads + kv_head;
    const uint64_t first = head * a.keys.capacity;
    const unsigned bytes = source == KeySource::cache_f16 ? 2 : 1;
    const float* scales = values ? a.keys.value_scales : a.keys.key_scales;
    return {(values ? a.keys.values : a.keys.keys) + first * a.head_width * bytes,
            source == KeySource::cache_int8 ? scales + first : nullptr, a.head_width};
  }
}

/// What a warp knows of one query: the largest score, then the sum of the weights, and the weighted values, of which a
/// lane holds every 32nd.
struct SoftmaxState {
  float largest = kNoScore;
  float sum = 0;
  float values[kNumbersOfLane] = {};
};

/// The keys [first, end) that a query sees.
struct Seen {
  uint32_t first, end;
};

/// The parts of the shared memory.
template <class Thread>
LATHE_DEVICE float* key_tile(const Thread& t, const AttentionArgs& a) {
  return t.template shared<float>() + kQueriesOfBlock * a.head_width;
}
template <class Thread>
LATHE_DEVICE float* tile_weights(const Thread& t, const AttentionArgs& a, unsigned query) {
  return key_tile(t, a) + kKeyTile * (a.head_width + 1) + query * kKeyTile;
}

/// The score of the lane's key in a tile of `count` keys that begins with key `first`; kNoScore where the query does
/// not see it.
template <class Thread>
LATHE_DEVICE float score_of(const Thread& t, const AttentionArgs& a, unsigned query, Seen seen, uint32_t first,
                            uint32_t count) {
  const uint32_t key = first + t.lane();
  if (t.lane() >= count || key < seen.first || key >= seen.end) return kNoScore;
  const float* q = t.template shared<float>() + query * a.head_width;
  const float* numbers = key_tile(t, a) + t.lane() * (a.head_width + 1);
  float score = 0;
  for (uint32_t i = 0; i < a.head_width; ++i) score = fmaf(q[i], numbers[i], score);
  return score;
}

/// Adds a tile to the sums of a query, key after key.
template <KeySource source, class Thread>
LATHE_DEVICE void add_tile(const Thread& t, const AttentionArgs& a, const KeyRows<source>& values, unsigned query,
                           float score, uint32_t first, uint32_t count, SoftmaxState& state) {
  float* weights = tile_weights(t, a, query);
  weights[t.lane()] = score == kNoScore ? 0.0f : exp2_of(score - state.largest);
  t.sync_warp();
  for (uint32_t j = 0; j < count; ++j) {
    const float weight = weights[j];
    if (weight == 0.0f) continue;
    state.sum += weight;
    unrolled<kNumbersOfLane>([&](unsigned k) {
      const uint32_t i = t.lane() + k * kWarp;
      if (i < a.head_width) state.values[k] = fmaf(weight, values.at(first + j, i), state.values[k]);
    });
  }
}

/// Calls visit(number of the query among those of the warp, its number among those of the block) for each of the
/// warp's.
template <class Thread, class Visit>
LATHE_DEVICE void for_each_query(const Thread& t, unsigned queries, const Visit& visit) {
  unrolled<kQueriesOfWarp>([&](unsigned n) {
    const unsigned query = t.warp() * kQueriesOfWarp + n;
    if (query < queries) visit(n, query);
  });
}

/// Brings the keys `all` to shared memory tile by tile and calls visit(query of the warp, query of the block, its score
/// of the lane's key, first key of the tile, how many it has).
template <KeySource source, class Thread, class SeenBy, class Visit>
LATHE_DEVICE void for_each_tile(const Thread& t, const AttentionArgs& a, const KeyRows<source>& keys, Seen all,
                                unsigned queries, const SeenBy& seen, const Visit& visit) {
  float* tile = key_tile(t, a);
  for (uint32_t first = all.first; first < all.end; first += kKeyTile) {
    const uint32_t count = all.end - first < kKeyTile ? all.end - first : kKeyTile;
    for (uint32_t i = t.thread(); i < count * a.head_width; i += kWholeBlock) {
      const uint32_t key = i / a.head_width;
      tile[key * (a.head_width + 1) + i % a.head_width] = keys.at(first + key, i % a.head_width);
    }
    t.sync();
    for_each_query(t, queries, [&](unsigned n, unsigned query) {
      visit(n, query, score_of(t, a, query, seen(query), first, count), first, count);
    });
    t.sync();
  }
}

/// Runs the queries of a block over the keys `all` of a head, first for the largest scores, then for the sums.
/// seen(query) says which keys a query sees.
template <KeySource source, class Thread, class SeenBy>
LATHE_DEVICE void attend(const Thread& t, const AttentionArgs& a, uint32_t sequence, uint32_t kv_head, Seen all,
                         unsigned queries, const SeenBy& seen, SoftmaxState (&states)[kQueriesOfWarp]) {
  const auto keys = key_rows<source>(a, sequence, kv_head, false);
  const auto values = key_rows<source>(a, sequence, kv_head, true);
  for_each_tile<source>(t, a, keys, all, queries, seen, [&](unsigned n, unsigned, float score, uint32_t, uint32_t) {
    states[n].largest = larger(score, states[n].largest);
  });
  unrolled<kQueriesOfWarp>([&](unsigned n) { states[n].largest = warp_max(t, states[n].largest); });
  for_each_tile<source>(t, a, keys, all, queries, seen,
                        [&](unsigned n, unsigned query, float score, uint32_t first, uint32_t count) {
                          add_tile<source>(t, a, values, query, score, first, count, states[n]);
                        });
}

/// Calls visit(index, number) for the numbers of a query's result, before they are divided by the sum, that a lane has.
template <class Thread, class Visit>
LATHE_DEVICE void for_each_result(const Thread& t, const AttentionArgs& a, const SoftmaxState& state,
                                  const Visit& visit) {
  unrolled<kNumbersOfLane>([&](unsigned k) {
    const uint32_t i = t.lane() + k * kWarp;
    if (i < a.head_width) visit(i, state.values[k]);
  });
}

/// Copies `count` queries of a head, `stride` numbers apart, to shared memory, times what makes of their scores powers
/// of 2.
template <class Thread>
LATHE_DEVICE void load_queries(const Thread& t, const AttentionArgs& a, const float* first, uint32_t stride,
                               unsigned count) {
  float* q = t.template shared<float>();
  const float factor = a.scale * 1.44269504f;
  for (uint32_t i = t.thread(); i < count * a.head_width; i += kWholeBlock) {
    q[i] = first[static_cast<uint64_t>(i / a.head_width) * stride + i % a.head_width] * factor;
  }
  t.sync();
}

/// The queries of one head of one sequence: block (tile of queries, head, sequence).
template <KeySource source>
struct Attention {
  using Args = AttentionArgs;
  static constexpr unsigned kThreads = kWholeBlock;

  template <class Thread>
  LATHE_DEVICE static void run(const Thread& t, const Args& a) {
    const uint32_t sequence = t.block_z();
    const uint32_t head = t.block_y();
    const auto start = static_cast<uint32_t>(a.sequences.starts[sequence]);
    const uint32_t length = static_cast<uint32_t>(a.sequences.starts[sequence + 1]) - start;
    const uint32_t first = t.block_x() * kQueriesOfBlock;
    if (first >= length) return;
    const unsigned queries = length - first < kQueriesOfBlock ? length - first : kQueriesOfBlock;
    const auto past = static_cast<uint32_t>(a.sequences.past[sequence]);
    const uint32_t width = a.heads * a.head_width;
    const uint64_t at = static_cast<uint64_t>(start + first) * width + head * a.head_width;
    load_queries(t, a, a.q + at, width, queries);
    const auto seen = [&](unsigned query) { return seen_by(a, past + first + query, past + length); };
    const uint32_t kv_head = head / (a.heads / a.kv_heads);
    SoftmaxState states[kQueriesOfWarp];
    attend<source>(t, a, sequence, kv_head, {seen(0).first, seen(queries - 1).end}, queries, seen, states);
    for_each_query(t, queries, [&](unsigned n, unsigned query) {
      const float inverse = 1.0f / states[n].sum;
      for_each_result(t, a, states[n], [&](uint32_t i, float value) {
        a.y[at + static_cast<uint64_t>(query) * width + i] = value * inverse;
      });
    });
  }

 private:
  LATHE_DEVICE static Seen seen_by(const Args& a, uint32_t position, uint32_t length) {
    if (a.causal == 0) return {0, length};
    const bool cut = a.window != 0 && position + 1 > a.window;
    return {cut ? position + 1 - a.window : 0, position + 1};
  }
};

/// One token of each sequence over its cache, whose keys are split between blocks: block (split, heads that share keys,
/// sequence). CombineSplits makes one result of them.
template <KeySource source>
struct SplitAttention {
  using Args = AttentionArgs;
  static constexpr unsigned kThreads = kWholeBlock;

  template <class Thread>
  LATHE_DEVICE static void run(const Thread& t, const Args& a) {
    const uint32_t group = a.heads / a.kv_heads;
    const uint32_t tiles = (group + kQueriesOfBlock - 1) / kQueriesOfBlock;
    const uint32_t sequence = t.block_z();
    const uint32_t kv_head = t.block_y() / tiles;
    const uint32_t first_query = t.block_y() % tiles * kQueriesOfBlock;
    const unsigned queries = group - first_query < kQueriesOfBlock ? group - first_query : kQueriesOfBlock;
    const uint32_t head = kv_head * group + first_query;
    const uint32_t end = static_cast<uint32_t>(a.sequences.past[sequence]) + 1;
    const uint32_t begin = a.window != 0 && end > a.window ? end - a.window : 0;
    const uint32_t share = (end - begin + a.splits - 1) / a.splits;
    const uint32_t from = begin + t.block_x() * share;
    const Seen own = {from < end ? from : end, from + share < end ? from + share : end};
    const auto row = static_cast<uint64_t>(a.sequences.starts[sequence]);
    load_queries(t, a, a.q + (row * a.heads + head) * a.head_width, a.head_width, queries);
    SoftmaxState states[kQueriesOfWarp];
    attend<source>(
        t, a, sequence, kv_head, own, queries, [&](unsigned) { return own; }, states);
    for_each_query(t, queries, [&](unsigned n, unsigned query) {
      const uint64_t place = (static_cast<uint64_t>(sequence) * a.heads + head + query) * a.splits + t.block_x();
      float* out = a.partial + place * (a.head_width + 2);
      if (t.lane() == 0) {
        out[0] = states[n].largest;
        out[1] = states[n].sum;
      }
      for_each_result(t, a, states[n], [&](uint32_t i, float value) { out[2 + i] = value; });
    });
  }
};

/// Block (head, sequence).
struct CombineSplits {
  using Args = AttentionArgs;
  static constexpr unsigned kThreads = kWholeBlock;

  template <class Thread>
  LATHE_DEVICE static void run(const Thread& t, const Args& a) {
    const uint64_t head = static_cast<uint64_t>(t.block_y()) * a.heads + t.block_x();
    const uint32_t width = a.head_width + 2;
    const float* partial = a.partial + head * a.splits * width;
    float largest = kNoScore;
    for (uint32_t s = 0; s < a.splits; ++s) largest = fmaxf(largest, partial[s * width]);
    float total = 0;
    for (uint32_t s = 0; s < a.splits; ++s) total += weight_of(partial[s * width], largest) * partial[s * width + 1];
    const auto row = static_cast<uint64_t>(a.sequences.starts[t.block_y()]);
    float* y = a.y + (row * a.heads + t.block_x()) * a.head_width;
    for (uint32_t i = t.thread(); i < a.head_width; i += kThreads) {
      float sum = 0;
      for (uint32_t s = 0; s < a.splits; ++s) {
        sum += weight_of(partial[s * width], largest) * partial[s * width + 2 + i];
      }
      y[i] = sum / total;
    }
  }

 private:
  LATHE_DEVICE static float weight_of(float score, float largest) {
    return score == kNoScore ? 0.0f : exp2_of(score - largest);
  }
};

}  // namespace lathe::cuda
