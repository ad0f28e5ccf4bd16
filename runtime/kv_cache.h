#pragma once
// What a decoder remembers of the tokens it has seen: the keys and values of every causal attention.

#include <cstdint>
#include <vector>

#include "runtime/aligned_buffer.h"
#include "runtime/model.h"

namespace lathe {

/// How keys and values are kept: f16, or int8 with one scale for each head of each token.
enum class CacheType : uint8_t { f16, int8 };
const char* cache_type_name(CacheType type) noexcept;

/// Memory for `sequences` sequences of at most `capacity` tokens each. Used by one session at a time; `model`
/// outlives it. Throws Error{usage} when the program has an attention that is not causal.
class KvCache {
 public:
  KvCache(const Model& model, size_t sequences, size_t capacity, CacheType type = CacheType::f16);

  size_t sequences() const { return lengths_.size(); }
  size_t capacity() const { return capacity_; }
  CacheType type() const { return type_; }
  /// Tokens that the sequence has so far.
  size_t length(size_t sequence) const { return lengths_[sequence]; }
  /// Forgets all tokens from `length` on, which is at most the present length.
  void truncate(size_t sequence, size_t length);
  size_t bytes() const { return data_.size(); }

  // For the executor.

  /// One head of keys and values of one sequence; a layer is a causal attention, counted in program order.
  struct Head {
    size_t layer, sequence, head;
  };
  /// Stores rows of keys and values for the tokens [first, first + rows).
  void store(const Head& head, size_t first, size_t rows, const float* keys, size_t key_stride, const float* values,
             size_t value_stride);
  /// Keys (or values) of the tokens [first, first + rows) as f32 [rows, head_width].
  void load_keys(const Head& head, size_t first, size_t rows, float* out) const;
  void load_values(const Head& head, size_t first, size_t rows, float* out) const;
  /// Fills in where the head's keys, values and scales stand, and their layout.
  void describe(const Head& head, kernels::CachedAttentionArgs& args) const;
  void set_length(size_t sequence, size_t length) { lengths_[sequence] = length; }

 private:
  struct Layer {
    size_t heads = 0;
    size_t head_width = 0;
    size_t value_stride = 0;  // elements
    size_t key_bytes = 0;     // for each head: keys, then values, then the scales of both
    size_t head_bytes = 0;
    size_t offset = 0;  // in data_
  };
  std::byte* keys(const Head& head) const;
  std::byte* values(const Head& head) const { return keys(head) + layers_[head.layer].key_bytes; }
  float* scales(const Head& head, bool of_values) const;
  size_t element_bytes() const { return type_ == CacheType::f16 ? 2 : 1; }
  /// One row as elements; returns its scale, 1 for f16.
  float to_elements(const float* row, size_t width, std::byte* out) const;
  void from_elements(const std::byte* elements, size_t count, float* out) const;

  const Model& model_;
  CacheType type_;
  size_t capacity_;
  size_t padded_;  // capacity, a multiple of the block
  std::vector<size_t> lengths_;
  std::vector<Layer> layers_;
  AlignedBuffer<std::byte> data_;
};

}  // namespace lathe
