#pragma once
// softmax(scale * q k^T) v over F32, written once for every ISA. Include a simd_*.h, kernel.h and activation.inl.h
// first; kKeyTile, kQueryTile and kWidthVectors tell how many vector registers a tile may use.
//
// A block of queries stands across the lanes: scores are [keys][queries], so that the softmax needs no reduction over
// lanes and neither k nor v is ever repacked.

namespace lathe::kernels {
namespace {

constexpr size_t kQueryVectors = 2;
constexpr size_t kQueryBlock = kQueryVectors * F32::kWidth;

size_t attention_scratch_bytes(size_t length, size_t head_width) noexcept {
  return (length + head_width + 2) * kQueryBlock * sizeof(float);
}

/// The queries of a block as columns, times scale * log2(e): [head_width][V * kWidth], zeros for absent queries.
template <size_t V>
inline void transpose_queries(const AttentionArgs& args, size_t first, size_t count, float* columns) {
  constexpr size_t kColumns = V * F32::kWidth;
  const float factor = args.scale * 1.44269504F;
  for (size_t q = 0; q < kColumns; ++q) {
    const float* row = args.q + (first + q) * args.q_stride;
    for (size_t i = 0; i < args.head_width; ++i) columns[i * kColumns + q] = q < count ? row[i] * factor : 0.0F;
  }
}

/// The keys that a block of queries sees: those in [begin, end), each query all of [from_here, to_here).
struct KeyRange {
  size_t begin, from_here, to_here, end;
};

inline KeyRange keys_of(const AttentionArgs& args, size_t first, size_t count) {
  if (!args.causal) return {0, 0, args.length, args.length};
  const size_t low = args.position + first;
  const size_t high = args.position + first + count - 1;
  const auto oldest = [&](size_t position) {
    return args.window == 0 || position < args.window ? 0 : position - args.window + 1;
  };
  const size_t end = high + 1;
  const size_t to_here = low + 1;
  const size_t from_here = oldest(high) < end ? oldest(high) : end;
  return {oldest(low), from_here, to_here, end};
}

/// The scores of one key. Those of queries that do not see it are made so low that their weight is 0.
template <size_t V>
inline void hide_unseen(const AttentionArgs& args, size_t first, size_t key, F32 (&scores)[V]) {
  for (size_t v = 0; v < V; ++v) {
    float distance[F32::kWidth];  // from the key to the query
    for (size_t q = 0; q < F32::kWidth; ++q) {
      const size_t position = args.position + first + v * F32::kWidth + q;
      distance[q] = static_cast<float>(position) - static_cast<float>(key);
    }
    const F32 hidden = set(-1.0e30F);
    scores[v] = select_less(load(distance), set(0.0F), hidden, scores[v]);
    if (args.window != 0) {
      scores[v] = select_less(load(distance), set(static_cast<float>(args.window)), scores[v], hidden);
    }
  }
}

/// scores[key][query] for KEYS keys; keeps the maxima of each query. HIDE: not every query sees every key.
template <size_t V, size_t KEYS, bool HIDE>
inline void score_tile(const AttentionArgs& args, size_t first, const float* columns, size_t key, float* scores,
                       F32 (&maxima)[V]) {
  constexpr size_t kColumns = V * F32::kWidth;
  const float* k = args.k + key * args.k_stride;
  F32 sum[KEYS][V];
  for (size_t s = 0; s < KEYS; ++s) {
    for (size_t v = 0; v < V; ++v) sum[s][v] = set(0.0F);
  }
  for (size_t i = 0; i < args.head_width; ++i) {
    F32 q[V];
    for (size_t v = 0; v < V; ++v) q[v] = load(columns + i * kColumns + v * F32::kWidth);
    for (size_t s = 0; s < KEYS; ++s) {
      const F32 x = set(k[s * args.k_stride + i]);
      for (size_t v = 0; v < V; ++v) sum[s][v] = fma(q[v], x, sum[s][v]);
    }
  }
  for (size_t s = 0; s < KEYS; ++s) {
    if constexpr (HIDE) hide_unseen<V>(args, first, key + s, sum[s]);
    for (size_t v = 0; v < V; ++v) {
      maxima[v] = max(sum[s][v], maxima[v]);
      store(scores + s * kColumns + v * F32::kWidth, sum[s][v]);
    }
  }
}

/// The keys [key, end), by ever smaller tiles; `scores` are those of `key` and what follows.
template <size_t V, bool HIDE, size_t KEYS = kKeyTile>
inline void score_keys(const AttentionArgs& args, size_t first, const float* columns, size_t key, size_t end,
                       float* scores, F32 (&maxima)[V]) {
  for (; key + KEYS <= end; key += KEYS, scores += KEYS * V * F32::kWidth) {
    score_tile<V, KEYS, HIDE>(args, first, columns, key, scores, maxima);
  }
  if constexpr (KEYS > 1) {
    if (key < end) score_keys<V, HIDE, KEYS / 2>(args, first, columns, key, end, scores, maxima);
  }
}

/// y of QUERIES queries for the head's columns [column, column + D * kWidth), the last `tail` lanes of them only.
template <size_t V, size_t QUERIES, size_t D>
inline void value_tile(const AttentionArgs& args, KeyRange keys, const float* scores, size_t query,
                       const float* inverse_sums, size_t column, size_t tail, float* y) {
  constexpr size_t kColumns = V * F32::kWidth;
  constexpr size_t kLast = D - 1;
  F32 sum[QUERIES][D];
  for (size_t q = 0; q < QUERIES; ++q) {
    for (size_t d = 0; d < D; ++d) sum[q][d] = set(0.0F);
  }
  const float* v = args.v + keys.begin * args.v_stride + column;
  const float* p = scores + query;
  for (size_t s = keys.begin; s < keys.end; ++s, v += args.v_stride, p += kColumns) {
    F32 value[D];
    for (size_t d = 0; d < kLast; ++d) value[d] = load(v + d * F32::kWidth);
    value[kLast] = tail == F32::kWidth ? load(v + kLast * F32::kWidth) : load_part(v + kLast * F32::kWidth, tail);
    for (size_t q = 0; q < QUERIES; ++q) {
      const F32 weight = set(p[q]);
      for (size_t d = 0; d < D; ++d) sum[q][d] = fma(weight, value[d], sum[q][d]);
    }
  }
  for (size_t q = 0; q < QUERIES; ++q) {
    float* out = y + q * args.y_stride + column;
    const F32 factor = set(inverse_sums[query + q]);
    for (size_t d = 0; d < kLast; ++d) store(out + d * F32::kWidth, sum[q][d] * factor);
    store_part(out + kLast * F32::kWidth, sum[q][kLast] * factor, tail);
  }
}

/// All queries from `query` on, by ever smaller tiles.
template <size_t V, size_t D, size_t QUERIES = kQueryTile>
inline void value_columns(const AttentionArgs& args, KeyRange keys, const float* scores, size_t query, size_t count,
                          const float* inverse_sums, size_t column, size_t tail, float* y) {
  for (; query + QUERIES <= count; query += QUERIES) {
    value_tile<V, QUERIES, D>(args, keys, scores, query, inverse_sums, column, tail, y + query * args.y_stride);
  }
  if constexpr (QUERIES > 1) {
    if (query < count)
      value_columns<V, D, QUERIES / 2>(args, keys, scores, query, count, inverse_sums, column, tail, y);
  }
}

template <size_t V>
inline void softmax_columns(size_t length, const F32 (&maxima)[V], float* scores, float* inverse_sums) {
  F32 sum[V];
  for (size_t v = 0; v < V; ++v) sum[v] = set(0.0F);
  for (size_t s = 0; s < length; ++s) {
    for (size_t v = 0; v < V; ++v) {
      float* at = scores + (s * V + v) * F32::kWidth;
      const F32 weight = exp2(load(at) - maxima[v]);
      store(at, weight);
      sum[v] = sum[v] + weight;
    }
  }
  for (size_t v = 0; v < V; ++v) store(inverse_sums + v * F32::kWidth, set(1.0F) / sum[v]);
}

template <size_t V>
inline void attend_block(const AttentionArgs& args, size_t first, size_t count, float* y) {
  constexpr size_t kColumns = V * F32::kWidth;
  float* columns = static_cast<float*>(args.scratch);
  float* inverse_sums = columns + args.head_width * kColumns;
  float* scores = inverse_sums + kColumns;
  transpose_queries<V>(args, first, count, columns);
  F32 maxima[V];
  for (size_t v = 0; v < V; ++v) maxima[v] = set(-3.0e38F);
  const KeyRange keys = keys_of(args, first, count);
  const auto score = [&](size_t begin, size_t end, bool hide) {
    float* at = scores + (begin - keys.begin) * kColumns;
    if (begin < end) (hide ? score_keys<V, true> : score_keys<V, false>)(args, first, columns, begin, end, at, maxima);
  };
  if (keys.from_here < keys.to_here) {
    score(keys.begin, keys.from_here, true);
    score(keys.from_here, keys.to_here, false);
    score(keys.to_here, keys.end, true);
  } else {
    score(keys.begin, keys.end, true);
  }
  softmax_columns<V>(keys.end - keys.begin, maxima, scores, inverse_sums);
  constexpr size_t kWide = kWidthVectors * F32::kWidth;
  size_t column = 0;
  for (; column + kWide <= args.head_width; column += kWide) {
    value_columns<V, kWidthVectors>(args, keys, scores, 0, count, inverse_sums, column, F32::kWidth, y);
  }
  for (; column < args.head_width; column += F32::kWidth) {
    const size_t left = args.head_width - column;
    value_columns<V, 1>(args, keys, scores, 0, count, inverse_sums, column, left < F32::kWidth ? left : F32::kWidth, y);
  }
}

void attention(const AttentionArgs& args) noexcept {
  for (size_t done = 0; done < args.queries;) {
    const size_t left = args.queries - done;
    float* y = args.y + done * args.y_stride;
    if (left > F32::kWidth) {
      const size_t count = left < kQueryBlock ? left : kQueryBlock;
      attend_block<kQueryVectors>(args, args.first_query + done, count, y);
      done += count;
    } else {
      attend_block<1>(args, args.first_query + done, left, y);
      done += left;
    }
  }
}

}  // namespace
}  // namespace lathe::kernels
