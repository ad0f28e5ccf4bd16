#pragma once
// Attention of one token over a cache, for the query heads that share one head of keys and values. Include a simd_*.h,
// kernel.h and activation.inl.h first and define kWidthVectors.
//
// Keys stand in blocks of kCacheBlock tokens, [head_width][kCacheBlock], so that scores need no reduction over lanes;
// values stand in rows. Elements are f16, or int8 with one scale for each token.

namespace lathe::kernels {
namespace {

constexpr size_t kHeadTile = 4;  // query heads at a time

inline F32 load_element(const uint16_t* p) { return load_f16(p); }
inline F32 load_element(const int8_t* p) { return load_i8(p); }

size_t attention_cached_scratch_bytes(size_t length, size_t head_width) noexcept {
  const size_t padded = (length + kCacheBlock - 1) / kCacheBlock * kCacheBlock + kCacheBlock;
  return (padded + head_width) * kHeadTile * sizeof(float);
}

/// What the tiles share: HEADS queries, scaled, and their scores, each [HEADS][padded keys].
struct CachedTile {
  const CachedAttentionArgs& args;
  const float* queries;  // [HEADS][head_width]
  float* scores;
  size_t stride;  // of the scores
  size_t begin;   // first key of the first block
};

template <class Element, size_t HEADS>
inline void score_cached(const CachedTile& tile, const Element* keys) {
  const size_t width = tile.args.head_width;
  for (size_t block = tile.begin; block < tile.args.end; block += kCacheBlock) {
    const Element* columns = keys + block * width;
    for (size_t lane = 0; lane < kCacheBlock; lane += F32::kWidth) {
      F32 sum[HEADS];
      for (size_t h = 0; h < HEADS; ++h) sum[h] = set(0.0F);
      for (size_t i = 0; i < width; ++i) {
        const F32 key = load_element(columns + i * kCacheBlock + lane);
        for (size_t h = 0; h < HEADS; ++h) sum[h] = fma(set(tile.queries[h * width + i]), key, sum[h]);
      }
      for (size_t h = 0; h < HEADS; ++h) {
        if (tile.args.key_scales != nullptr) sum[h] = sum[h] * load(tile.args.key_scales + block + lane);
        store(tile.scores + h * tile.stride + block - tile.begin + lane, sum[h]);
      }
    }
  }
}

/// Scores become weights that add up to 1; keys outside [first, end) weigh nothing, whatever memory holds there.
inline void softmax_cached(const CachedTile& tile, float* scores) {
  const CachedAttentionArgs& args = tile.args;
  for (size_t s = tile.begin; s < args.first; ++s) scores[s - tile.begin] = -1.0e30F;
  const size_t count = args.end - tile.begin;
  for (size_t s = count; s < tile.stride; ++s) scores[s] = -1.0e30F;
  F32 most = set(-3.0e38F);
  for (size_t s = 0; s < tile.stride; s += F32::kWidth) most = max(load(scores + s), most);
  const F32 top = set(reduce_max(most));
  LaneSums sums = zero_sums();
  for (size_t s = 0; s < tile.stride; s += LaneSums::kLanes) {
    for (size_t v = 0; v < LaneSums::kVectors; ++v) {
      float* at = scores + s + v * F32::kWidth;
      const F32 weight = exp2(load(at) - top);
      store(at, weight);
      sums.vectors[v] = sums.vectors[v] + weight;
    }
  }
  const F32 inverse = set(1.0F / sums.total(0.0F));
  for (size_t s = 0; s < count; s += F32::kWidth) {
    F32 weight = load(scores + s) * inverse;
    if (args.value_scales != nullptr) weight = weight * load(args.value_scales + tile.begin + s);
    store(scores + s, weight);
  }
}

/// D registers of outputs from `column` on; the last `tail` lanes of the last one only.
template <class Element, size_t HEADS, size_t D>
inline void mix_cached(const CachedTile& tile, const Element* values, size_t column, size_t tail, float* y) {
  const CachedAttentionArgs& args = tile.args;
  F32 sum[HEADS][D];
  for (size_t h = 0; h < HEADS; ++h) {
    for (size_t d = 0; d < D; ++d) sum[h][d] = set(0.0F);
  }
  for (size_t s = args.first; s < args.end; ++s) {
    const Element* row = values + s * args.value_stride + column;
    F32 value[D];
    for (size_t d = 0; d < D; ++d) value[d] = load_element(row + d * F32::kWidth);
    for (size_t h = 0; h < HEADS; ++h) {
      const F32 weight = set(tile.scores[h * tile.stride + s - tile.begin]);
      for (size_t d = 0; d < D; ++d) sum[h][d] = fma(weight, value[d], sum[h][d]);
    }
  }
  for (size_t h = 0; h < HEADS; ++h) {
    float* out = y + h * args.head_width + column;
    for (size_t d = 0; d + 1 < D; ++d) store(out + d * F32::kWidth, sum[h][d]);
    store_part(out + (D - 1) * F32::kWidth, sum[h][D - 1], tail);
  }
}

template <class Element, size_t HEADS>
inline void attend_cached(const CachedAttentionArgs& args, size_t head) {
  const size_t width = args.head_width;
  const size_t begin = args.first / kCacheBlock * kCacheBlock;
  const size_t stride = (args.end - begin + kCacheBlock - 1) / kCacheBlock * kCacheBlock;
  auto* queries = static_cast<float*>(args.scratch);
  const CachedTile tile{args, queries, queries + kHeadTile * width, stride, begin};
  const float factor = args.scale * 1.44269504F;
  for (size_t i = 0; i < HEADS * width; ++i) queries[i] = args.q[head * width + i] * factor;
  score_cached<Element, HEADS>(tile, static_cast<const Element*>(args.keys));
  for (size_t h = 0; h < HEADS; ++h) softmax_cached(tile, tile.scores + h * stride);
  const auto* values = static_cast<const Element*>(args.values);
  float* y = args.y + head * width;
  constexpr size_t kWide = kWidthVectors * F32::kWidth;
  size_t column = 0;
  for (; column + kWide <= width; column += kWide) {
    mix_cached<Element, HEADS, kWidthVectors>(tile, values, column, F32::kWidth, y);
  }
  for (; column < width; column += F32::kWidth) {
    const size_t left = width - column;
    mix_cached<Element, HEADS, 1>(tile, values, column, left < F32::kWidth ? left : F32::kWidth, y);
  }
}

/// All heads from `head` on, by ever smaller tiles.
template <class Element, size_t HEADS = kHeadTile>
inline void attend_cached_heads(const CachedAttentionArgs& args, size_t head) {
  for (; head + HEADS <= args.heads; head += HEADS) attend_cached<Element, HEADS>(args, head);
  if constexpr (HEADS > 1) {
    if (head < args.heads) attend_cached_heads<Element, HEADS - 1>(args, head);
  }
}

void attention_cached(const CachedAttentionArgs& args) noexcept {
  if (args.key_scales == nullptr) {
    attend_cached_heads<uint16_t>(args, 0);
  } else {
    attend_cached_heads<int8_t>(args, 0);
  }
}

}  // namespace
}  // namespace lathe::kernels
