#pragma once
// Rotary positions, and what puts keys and values into the cache.

#include "runtime/cuda/kernels/rows.h"

namespace lathe::cuda {

/// Where the two numbers of a pair stand in a head.
struct PairPlace {
  uint32_t first, second;
};
LATHE_DEVICE PairPlace place_of_pair(const RopeArgs& a, uint32_t pair) {
  if (a.neighbours != 0) return {2 * pair, 2 * pair + 1};
  return {pair, pair + a.pairs};
}

struct Turn {
  float cosine, sine;
};
/// The angle is rounded to f32 before its cosine is taken, as models are trained.
LATHE_DEVICE Turn turn_of(const RopeArgs& a, int32_t position, uint32_t pair) {
  const double angle = static_cast<float>(position) * a.frequencies[pair];
  return {static_cast<float>(cos(angle)), static_cast<float>(sin(angle))};
}

LATHE_DEVICE void turn_pair(const PairPlace& at, const Turn& turn, const float* x, float* y) {
  const float p = x[at.first], q = x[at.second];
  y[at.first] = p * turn.cosine - q * turn.sine;
  y[at.second] = q * turn.cosine + p * turn.sine;
}

/// Turns the pairs of each head of a row, whose cosines and sines a block computes once. A block takes a row.
struct Rope {
  using Args = RopeArgs;
  static constexpr unsigned kThreads = kWholeBlock;

  LATHE_DEVICE static unsigned shared_bytes(const Args& a) { return a.pairs * static_cast<unsigned>(sizeof(Turn)); }

  template <class Thread>
  LATHE_DEVICE static void run(const Thread& t, const Args& a) {
    Turn* turns = t.template shared<Turn>();
    const int32_t position = a.positions[t.block_x()];
    for (uint32_t i = t.thread(); i < a.pairs; i += kThreads) turns[i] = turn_of(a, position, i);
    t.sync();
    const uint64_t first = static_cast<uint64_t>(t.block_x()) * a.heads * a.head_width;
    const float* x = a.x + first;
    float* y = a.y + first;
    for (uint32_t i = t.thread(); i < a.heads * a.pairs; i += kThreads) {
      const uint32_t head = i / a.pairs * a.head_width;
      turn_pair(place_of_pair(a, i % a.pairs), turns[i % a.pairs], x + head, y + head);
    }
    const uint32_t rest = a.head_width - 2 * a.pairs;
    for (uint32_t i = t.thread(); i < a.heads * rest; i += kThreads) {
      const uint32_t at = i / rest * a.head_width + 2 * a.pairs + i % rest;
      y[at] = x[at];
    }
  }
};

/// A warp turns one head.
template <class Thread>
LATHE_DEVICE void turn_head(const Thread& t, const RopeArgs& a, int32_t position, const float* x, float* y) {
  for (uint32_t i = t.lane(); i < a.pairs; i += kWarp) turn_pair(place_of_pair(a, i), turn_of(a, position, i), x, y);
  for (uint32_t i = 2 * a.pairs + t.lane(); i < a.head_width; i += kWarp) y[i] = x[i];
}

/// A token of a batch, and its place in the cache.
struct CachedToken {
  uint32_t row;       // of the batch
  uint32_t slot;      // of the cache
  uint32_t position;  // in the slot
};

/// A warp rounds the keys (or the values) of one head of a token and puts them into the cache.
template <KeySource source, class Thread>
LATHE_DEVICE void store_head(const Thread& t, const StoreKeysArgs& a, const CachedToken& token, uint32_t head,
                             bool values, const float* x) {
  const uint64_t place = (static_cast<uint64_t>(token.slot) * a.kv_heads + head) * a.keys.capacity + token.position;
  unsigned char* out = values ? a.keys.values : a.keys.keys;
  if constexpr (source == KeySource::cache_f16) {
    auto* halves = reinterpret_cast<AnyHalf*>(out) + place * a.head_width;
    for (uint32_t i = t.lane(); i < a.head_width; i += kWarp) halves[i] = to_f16(x[i]);
  } else {
    float largest = 0;
    for (uint32_t i = t.lane(); i < a.head_width; i += kWarp) largest = fmaxf(largest, fabsf(x[i]));
    largest = warp_max(t, largest);
    const float inverse = largest < 1e-30f ? 0.0f : 127.0f / largest;
    auto* bytes = reinterpret_cast<signed char*>(out) + place * a.head_width;
    for (uint32_t i = t.lane(); i < a.head_width; i += kWarp) {
      bytes[i] = static_cast<signed char>(rintf(x[i] * inverse));
    }
    if (t.lane() == 0) (values ? a.keys.value_scales : a.keys.key_scales)[place] = largest / 127.0f;
  }
}

/// What kernels of this file work on: block (heads, token of the sequence, sequence), a warp a head.
/// Calls visit(token, number of the head) where there are such a token and, of `heads`, such a head.
template <class Thread, class Visit>
LATHE_DEVICE void visit_head(const Thread& t, const SequencesView& sequences, uint32_t heads, const Visit& visit) {
  const uint32_t sequence = t.block_z();
  const uint32_t row = static_cast<uint32_t>(sequences.starts[sequence]) + t.block_y();
  const uint32_t head = warp_row(t);
  if (row >= static_cast<uint32_t>(sequences.starts[sequence + 1]) || head >= heads) return;
  visit(CachedToken{row, static_cast<uint32_t>(sequences.slots[sequence]),
                    static_cast<uint32_t>(sequences.past[sequence]) + t.block_y()},
        head);
}

/// Keys or values of one head of the batch.
LATHE_DEVICE const float* batch_head(const StoreKeysArgs& a, const float* rows, uint32_t row, uint32_t head) {
  return rows + (static_cast<uint64_t>(row) * a.kv_heads + head) * a.head_width;
}

/// Puts keys and values of the batch into the cache: the heads of the keys, then those of the values.
template <KeySource source>
struct StoreKeys {
  using Args = StoreKeysArgs;
  static constexpr unsigned kThreads = kWholeBlock;

  template <class Thread>
  LATHE_DEVICE static void run(const Thread& t, const Args& a) {
    visit_head(t, a.sequences, 2 * a.kv_heads, [&](const CachedToken& token, uint32_t head) {
      const bool values = head >= a.kv_heads;
      const uint32_t own = values ? head - a.kv_heads : head;
      const float* rows = values ? a.keys.batch_values : a.keys.batch_keys;
      store_head<source>(t, a, token, own, values, batch_head(a, rows, token.row, own));
    });
  }
};

/// Turns queries and keys and puts keys and values into the cache: the heads of the queries, then those of the keys,
/// whose turned numbers are only in the cache, then those of the values.
template <KeySource source>
struct RopeAndStore {
  using Args = RopeAndStoreArgs;
  static constexpr unsigned kThreads = kWholeBlock;

  LATHE_DEVICE static unsigned shared_bytes(const Args& a) {
    return kWarpsOfBlock * a.store.head_width * static_cast<unsigned>(sizeof(float));
  }

  template <class Thread>
  LATHE_DEVICE static void run(const Thread& t, const Args& a) {
    const uint32_t kv_heads = a.store.kv_heads;
    visit_head(t, a.store.sequences, a.q.heads + 2 * kv_heads, [&](const CachedToken& token, uint32_t head) {
      const bool query = head < a.q.heads;
      const bool values = head >= a.q.heads + kv_heads;
      const uint32_t own = query ? head : values ? head - a.q.heads - kv_heads : head - a.q.heads;
      const float* x = batch_head(a.store, values ? a.store.keys.batch_values : a.k.x, token.row, own);
      if (!values) {
        const RopeArgs& rope = query ? a.q : a.k;
        const uint64_t of_query = (static_cast<uint64_t>(token.row) * a.q.heads + own) * a.q.head_width;
        float* turned = t.template shared<float>() + t.warp() * a.store.head_width;
        turn_head(t, rope, rope.positions[token.row], query ? a.q.x + of_query : x, query ? a.q.y + of_query : turned);
        if (query) return;
        t.sync_warp();
        x = turned;
      }
      store_head<source>(t, a.store, token, own, values, x);
    });
  }
};

}  // namespace lathe::cuda
