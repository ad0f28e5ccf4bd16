#include "runtime/cpu/cache_memory.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace lathe::cpu {
namespace {

constexpr size_t kBlock = kernels::kCacheBlock;

}  // namespace

CacheMemory::CacheMemory(const Plan& plan, const kernels::RowKernels& kernels, size_t sequences, size_t capacity,
                         CacheType type)
    : kernels_(kernels), type_(type), padded_(round_up(capacity, kBlock)) {
  const char* what = "the cache of keys and values";
  size_t total = 0;
  for (const Segment& segment : plan.segments) {
    const auto* attention = std::get_if<AttentionSegment>(&segment.work);
    if (attention == nullptr) continue;
    Layer layer;
    layer.heads = attention->kv_heads;
    layer.head_width = plan.values[attention->key].width / attention->kv_heads;
    layer.value_stride = round_up(layer.head_width, kBlock);
    layer.key_bytes = checked_mul(padded_, layer.head_width * element_bytes(), what);
    const size_t scale_bytes = type == CacheType::int8 ? 2 * padded_ * sizeof(float) : 0;
    layer.head_bytes = checked_add(checked_mul(padded_, layer.value_stride * element_bytes(), what),
                                   checked_add(layer.key_bytes, scale_bytes, what), what);
    layer.offset = total;
    total = checked_add(total, checked_mul(checked_mul(layer.head_bytes, layer.heads, what), sequences, what), what);
    layers_.push_back(layer);
  }
  data_ = AlignedBuffer<std::byte>(total);
}

std::byte* CacheMemory::keys(const CacheHead& head) const {
  const Layer& layer = layers_[head.layer];
  const size_t index = head.sequence * layer.heads + head.head;
  return const_cast<std::byte*>(data_.data()) + layer.offset + index * layer.head_bytes;
}

float* CacheMemory::scales(const CacheHead& head, bool of_values) const {
  const Layer& layer = layers_[head.layer];
  std::byte* first = values(head) + padded_ * layer.value_stride * element_bytes();
  return reinterpret_cast<float*>(first) + (of_values ? padded_ : 0);
}

float CacheMemory::to_elements(const float* row, size_t width, std::byte* out) const {
  if (type_ == CacheType::f16) {
    kernels_.to_f16(row, width, reinterpret_cast<uint16_t*>(out));
    return 1;
  }
  float most = 0;
  for (size_t i = 0; i < width; ++i) most = std::max(most, std::abs(row[i]));
  const float inverse = most < 1e-30f ? 0.0f : 127.0f / most;
  for (size_t i = 0; i < width; ++i) {
    out[i] = static_cast<std::byte>(static_cast<int8_t>(std::nearbyint(row[i] * inverse)));
  }
  return most / 127.0f;
}

void CacheMemory::from_elements(const std::byte* elements, size_t count, float* out) const {
  if (type_ == CacheType::f16) {
    kernels_.from_f16(reinterpret_cast<const uint16_t*>(elements), count, out);
  } else {
    for (size_t i = 0; i < count; ++i) out[i] = static_cast<float>(static_cast<int8_t>(elements[i]));
  }
}

void CacheMemory::store(const CacheHead& head, size_t first, size_t rows, const float* key_rows, size_t key_stride,
                        const float* value_rows, size_t value_stride) {
  const Layer& layer = layers_[head.layer];
  const size_t size = element_bytes();
  std::vector<std::byte> row(layer.value_stride * size);
  for (size_t token = first; token < first + rows; ++token, key_rows += key_stride, value_rows += value_stride) {
    const float key_scale = to_elements(key_rows, layer.head_width, row.data());
    std::byte* column = keys(head) + (token / kBlock * kBlock * layer.head_width + token % kBlock) * size;
    for (size_t i = 0; i < layer.head_width; ++i, column += kBlock * size) {
      std::memcpy(column, row.data() + i * size, size);
    }
    std::fill(row.begin(), row.end(), std::byte{0});
    const float value_scale = to_elements(value_rows, layer.head_width, row.data());
    std::memcpy(values(head) + token * row.size(), row.data(), row.size());
    if (type_ == CacheType::f16) continue;
    scales(head, false)[token] = key_scale;
    scales(head, true)[token] = value_scale;
  }
}

void CacheMemory::load_keys(const CacheHead& head, size_t first, size_t rows, float* out) const {
  const Layer& layer = layers_[head.layer];
  const size_t width = layer.head_width;
  std::vector<float> block(width * kBlock);
  for (size_t token = first; token < first + rows;) {
    const size_t start = token / kBlock * kBlock;
    const size_t end = std::min(start + kBlock, first + rows);
    from_elements(keys(head) + start * width * element_bytes(), block.size(), block.data());
    for (; token < end; ++token, out += width) {
      const float scale = type_ == CacheType::f16 ? 1.0f : scales(head, false)[token];
      for (size_t i = 0; i < width; ++i) out[i] = block[i * kBlock + token - start] * scale;
    }
  }
}

void CacheMemory::load_values(const CacheHead& head, size_t first, size_t rows, float* out) const {
  const Layer& layer = layers_[head.layer];
  const size_t row_bytes = layer.value_stride * element_bytes();
  for (size_t token = first; token < first + rows; ++token, out += layer.head_width) {
    from_elements(values(head) + token * row_bytes, layer.head_width, out);
    if (type_ == CacheType::f16) continue;
    const float scale = scales(head, true)[token];
    for (size_t i = 0; i < layer.head_width; ++i) out[i] *= scale;
  }
}

void CacheMemory::describe(const CacheHead& head, kernels::CachedAttentionArgs& args) const {
  args.keys = keys(head);
  args.values = values(head);
  args.value_stride = layers_[head.layer].value_stride;
  args.key_scales = type_ == CacheType::int8 ? scales(head, false) : nullptr;
  args.value_scales = type_ == CacheType::int8 ? scales(head, true) : nullptr;
}

}  // namespace lathe::cpu
