#include "runtime/cuda/cache_memory.h"

#include <atomic>

#include "formats/artifact/bytes.h"

namespace lathe::cuda {
namespace {

struct CacheShape {
  size_t sequences, capacity;
  CacheType type;
};

std::vector<KeysView> place(const Plan& plan, const CacheShape& shape, Arena& arena) {
  std::vector<KeysView> layers;
  for (const AttentionStep& attention : plan.attentions) {
    const size_t rows = checked_mul(checked_mul(shape.sequences, attention.kv_heads, "cache"), shape.capacity, "cache");
    const size_t bytes = checked_mul(checked_mul(rows, attention.head_width, "cache"), 2, "cache");
    KeysView view{};
    view.capacity = static_cast<uint32_t>(shape.capacity);
    view.keys = arena.take<unsigned char>(shape.type == CacheType::f16 ? bytes : bytes / 2);
    view.values = arena.take<unsigned char>(shape.type == CacheType::f16 ? bytes : bytes / 2);
    if (shape.type == CacheType::int8) {
      view.key_scales = arena.take<float>(rows);
      view.value_scales = arena.take<float>(rows);
    }
    layers.push_back(view);
  }
  return layers;
}

uint64_t next_id() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

}  // namespace

CacheMemory::CacheMemory(Device& device, const Plan& plan, size_t sequences, size_t capacity, CacheType type)
    : source_(type == CacheType::f16 ? KeySource::cache_f16 : KeySource::cache_int8),
      capacity_(capacity),
      id_(next_id()) {
  if (capacity > UINT32_MAX) fail(Errc::limit, message("a cache of ", capacity, " tokens, at most ", UINT32_MAX));
  const CacheShape shape{sequences, capacity, type};
  memory_ = allocate_pieces(device, "the cache of keys and values",
                            [&](Arena& arena) { layers_ = place(plan, shape, arena); });
}

}  // namespace lathe::cuda
