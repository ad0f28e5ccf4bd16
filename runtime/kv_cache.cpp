#include "runtime/kv_cache.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace lathe {
namespace {

// One row of int8 with its scale behind it.
void store_int8(const float* x, size_t width, std::byte* out) {
  float most = 0;
  for (size_t i = 0; i < width; ++i) most = std::max(most, std::abs(x[i]));
  const float scale = most / 127.0f;
  const float inverse = most < 1e-30f ? 0.0f : 127.0f / most;
  for (size_t i = 0; i < width; ++i) {
    out[i] = static_cast<std::byte>(static_cast<int8_t>(std::nearbyint(x[i] * inverse)));
  }
  std::memcpy(out + width, &scale, sizeof scale);
}

void load_int8(const std::byte* row, size_t width, float* out) {
  float scale;
  std::memcpy(&scale, row + width, sizeof scale);
  for (size_t i = 0; i < width; ++i) out[i] = static_cast<float>(static_cast<int8_t>(row[i])) * scale;
}

}  // namespace

const char* cache_type_name(CacheType type) noexcept { return type == CacheType::f16 ? "f16" : "int8"; }

KvCache::KvCache(const Model& model, size_t sequences, size_t capacity, CacheType type)
    : model_(model), type_(type), capacity_(capacity), lengths_(sequences, 0) {
  if (!model.plan().causal) fail(Errc::usage, "a cache needs a program whose attention is causal");
  size_t total = 0;
  for (const Segment& segment : model.plan().segments) {
    if (segment.kind != SegmentKind::attention) continue;
    Layer layer;
    layer.heads = segment.op.kv_heads;
    layer.head_width = model.program().values[segment.op.inputs[1]].width / segment.op.kv_heads;
    layer.offset = total;
    layer.bytes = checked_mul(checked_mul(2 * layer.heads, capacity, "cache"), row_bytes(layer), "cache");
    total = checked_add(total, checked_mul(layer.bytes, sequences, "cache"), "cache");
    layers_.push_back(layer);
  }
  data_ = AlignedBuffer<std::byte>(total);
}

void KvCache::truncate(size_t sequence, size_t length) {
  if (length > lengths_[sequence]) {
    fail(Errc::internal, message("cache: sequence ", sequence, " has ", lengths_[sequence], " tokens, not ", length));
  }
  lengths_[sequence] = length;
}

size_t KvCache::row_bytes(const Layer& layer) const {
  return type_ == CacheType::f16 ? layer.head_width * 2 : round_up(layer.head_width + sizeof(float), sizeof(float));
}

std::byte* KvCache::plane(size_t index, size_t sequence, size_t head, bool values) const {
  const Layer& layer = layers_[index];
  const size_t planes = (head * 2 + (values ? 1 : 0)) * capacity_ * row_bytes(layer);
  return const_cast<std::byte*>(data_.data()) + layer.offset + sequence * layer.bytes + planes;
}

void KvCache::store(size_t layer, size_t sequence, size_t head, size_t first, size_t rows, const float* keys,
                    size_t key_stride, const float* values, size_t value_stride) {
  const size_t width = layers_[layer].head_width;
  const size_t bytes = row_bytes(layers_[layer]);
  for (const bool is_values : {false, true}) {
    const float* from = is_values ? values : keys;
    const size_t stride = is_values ? value_stride : key_stride;
    std::byte* out = plane(layer, sequence, head, is_values) + first * bytes;
    for (size_t row = 0; row < rows; ++row, from += stride, out += bytes) {
      if (type_ == CacheType::f16) {
        model_.row_kernels().to_f16(from, width, reinterpret_cast<uint16_t*>(out));
      } else {
        store_int8(from, width, out);
      }
    }
  }
}

void KvCache::load(size_t layer, size_t sequence, size_t head, bool values, size_t first, size_t rows,
                   float* out) const {
  const size_t width = layers_[layer].head_width;
  const size_t bytes = row_bytes(layers_[layer]);
  const std::byte* from = plane(layer, sequence, head, values) + first * bytes;
  if (type_ == CacheType::f16) {
    model_.row_kernels().from_f16(reinterpret_cast<const uint16_t*>(from), rows * width, out);
    return;
  }
  for (size_t row = 0; row < rows; ++row) load_int8(from + row * bytes, width, out + row * width);
}

void KvCache::load_keys(size_t layer, size_t sequence, size_t head, size_t first, size_t rows, float* out) const {
  load(layer, sequence, head, false, first, rows, out);
}

void KvCache::load_values(size_t layer, size_t sequence, size_t head, size_t first, size_t rows, float* out) const {
  load(layer, sequence, head, true, first, rows, out);
}

}  // namespace lathe
