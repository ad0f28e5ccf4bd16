#pragma once
// Keys and values of a cache in the layout of the attention kernels.

#include <vector>

#include "runtime/aligned_buffer.h"
#include "runtime/cpu/plan.h"
#include "runtime/executor.h"

namespace lathe::cpu {

/// One head of keys and values of one sequence. A layer is a causal attention, counted in program order.
struct CacheHead {
  size_t layer, sequence, head;
};

/// Keys stand in blocks of kCacheBlock tokens, with the tokens side by side, so that the scores of one query need no
/// sums over lanes; values stand token by token.
class CacheMemory : public lathe::CacheMemory {
 public:
  /// `kernels` outlives the memory. Throws Error{limit} when the size overflows.
  CacheMemory(const Plan& plan, const kernels::RowKernels& kernels, size_t sequences, size_t capacity, CacheType type);

  size_t bytes() const override { return data_.size(); }

  /// Stores rows of keys and values for the tokens [first, first + rows). Strides are in floats.
  void store(const CacheHead& head, size_t first, size_t rows, const float* keys, size_t key_stride,
             const float* values, size_t value_stride);
  /// Keys (or values) of the tokens [first, first + rows) as f32 [rows, head_width].
  void load_keys(const CacheHead& head, size_t first, size_t rows, float* out) const;
  void load_values(const CacheHead& head, size_t first, size_t rows, float* out) const;
  /// Fills in where the head's keys, values and scales stand, and their layout.
  void describe(const CacheHead& head, kernels::CachedAttentionArgs& args) const;

 private:
  struct Layer {
    size_t heads = 0;
    size_t head_width = 0;
    size_t value_stride = 0;  // elements
    size_t key_bytes = 0;     // of one head, whose memory holds keys, then values, then the scales of both
    size_t head_bytes = 0;
    size_t offset = 0;  // in data_
  };
  std::byte* keys(const CacheHead& head) const;
  std::byte* values(const CacheHead& head) const { return keys(head) + layers_[head.layer].key_bytes; }
  float* scales(const CacheHead& head, bool of_values) const;
  size_t element_bytes() const { return type_ == CacheType::f16 ? 2 : 1; }
  /// Rounds one row to elements; returns its scale, which is 1 for f16.
  float to_elements(const float* row, size_t width, std::byte* out) const;
  void from_elements(const std::byte* elements, size_t count, float* out) const;

  const kernels::RowKernels& kernels_;
  CacheType type_;
  size_t padded_;  // the capacity in tokens, rounded up to whole blocks
  std::vector<Layer> layers_;
  AlignedBuffer<std::byte> data_;
};

}  // namespace lathe::cpu
