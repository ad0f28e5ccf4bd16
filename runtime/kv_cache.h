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

  // For the executor. A layer is a causal attention, counted in program order; rows are [kv_heads * head_width].

  /// Stores rows of keys and values for the tokens [first, first + rows) of one head of the sequence.
  void store(size_t layer, size_t sequence, size_t head, size_t first, size_t rows, const float* keys,
             size_t key_stride, const float* values, size_t value_stride);
  /// Keys (or values) of the tokens [first, first + rows) of one head as f32 [rows, head_width].
  void load_keys(size_t layer, size_t sequence, size_t head, size_t first, size_t rows, float* out) const;
  void load_values(size_t layer, size_t sequence, size_t head, size_t first, size_t rows, float* out) const;
  void set_length(size_t sequence, size_t length) { lengths_[sequence] = length; }

 private:
  struct Layer {
    size_t heads = 0;
    size_t head_width = 0;
    size_t offset = 0;  // of its planes in data_
    size_t bytes = 0;   // for each sequence
  };
  void load(size_t layer, size_t sequence, size_t head, bool values, size_t first, size_t rows, float* out) const;
  std::byte* plane(size_t layer, size_t sequence, size_t head, bool values) const;
  size_t row_bytes(const Layer& layer) const;

  const Model& model_;
  CacheType type_;
  size_t capacity_;
  std::vector<size_t> lengths_;
  std::vector<Layer> layers_;
  AlignedBuffer<std::byte> data_;
};

}  // namespace lathe
