#pragma once
// What kernels are called with. All pointers are to memory of the device. Matrices of f32 are row-major without gaps.

#include <cstdint>

namespace lathe::cuda {

/// How the values of a weight lie in memory of the device. Rows begin at multiples of 16 bytes.
enum class Format : uint32_t {
  f32,
  f16,
  bf16,
  int8,
  int4,          // two to a byte, the first in the lower half; one multiplier for each group of 32 n columns
  int8_bitmask,  // the values whose bit in the mask is set, row after row
  int4_bitmask,  // the same, two to a byte; each row begins on a byte
};

struct WeightView {
  Format format;
  uint32_t outputs;
  uint32_t inputs;
  uint32_t group;      // columns that share a multiplier; 0 where there are none
  uint32_t groups;     // multipliers of a row
  uint64_t row_bytes;  // from row to row; 0 for bitmasks
  const unsigned char* values;
  const uint64_t* row_starts;  // bitmasks: the first byte of each row
  const uint32_t* mask;        // bitmasks: ceil(inputs / 32) words for each row, the lowest bit first
  const unsigned char* multipliers;
  const float* row_scales;     // integers: of each row
  const int32_t* column_sums;  // integers: the sum of a row's integers
};

/// The numbers are those of ActivationFunction plus one.
enum class Function : uint32_t { none, gelu, gelu_tanh, relu, silu, tanh };

struct Activation {
  Function function;
  const float* gelu_table;  // [5][16], for gelu alone: see gelu() in numeric.h
};

/// Rows of integers, and what they stand for: scale * (integer - zero). Rows from `width` to `stride` hold zeros.
struct QuantizedRows {
  unsigned char* values;  // [rows, stride]; stride is a multiple of 64
  float* scales;
  int32_t* zeros;
  uint32_t stride;
};

struct GatherArgs {
  WeightView table;
  const int32_t* ids;
  uint32_t rows;
  float* y;
};

struct QuantizeArgs {
  const float* x;
  uint32_t rows;
  uint32_t width;
  uint32_t wide;  // 1: sixteen bits, which are two rows of eight
  QuantizedRows out;
};

/// y = function(x w^T + bias) + added. In a wide product, rows 2 r and 2 r + 1 of x are the upper and the lower bytes
/// of row r.
struct IntegerLinearArgs {
  WeightView weight;
  QuantizedRows x;
  const float* bias;   // null: none
  const float* added;  // as large as y, or null
  uint32_t rows;       // of x, each byte row counted
  uint32_t wide;
  Activation activation;
  float* y;
};

/// Layers that read the same rows of x, side by side in one launch.
inline constexpr uint32_t kMostSideBySide = 3;
struct IntegerGemvArgs {
  IntegerLinearArgs layers[kMostSideBySide];
  uint32_t ends[kMostSideBySide];  // the block after the last one of each layer
};

struct FloatLinearArgs {
  WeightView weight;
  const float* x;
  const float* bias;   // null: none
  const float* added;  // as large as y, or null
  uint32_t rows;
  Activation activation;
  float* y;
};

/// Rows of int8 with group multipliers applied: [outputs, row_bytes], zeros beyond the inputs.
struct ExpandArgs {
  WeightView weight;
  unsigned char* out;
  uint32_t row_bytes;
};

/// The sum of the integers of each row of a weight.
struct RowSumsArgs {
  WeightView weight;
  int32_t* sums;
};

struct LayerNormArgs {
  const float* a;
  const float* b;  // null: none
  const float* gamma;
  const float* beta;
  uint32_t rows;
  uint32_t width;
  float epsilon;
  float* y;
};

/// Parts of `width` numbers, `parts` of them.
struct RmsNormArgs {
  const float* x;
  const float* gamma;
  uint32_t parts;
  uint32_t width;
  float epsilon;
  float* y;
};

struct NormalizeArgs {
  const float* x;
  uint32_t rows;
  uint32_t width;
  float epsilon;
  float* y;
};

/// gated is function(a) * b.
enum class Combine : uint32_t { add, multiply, activate, gated };
struct ElementwiseArgs {
  const float* a;
  const float* b;  // null for activate
  uint64_t count;
  Combine combine;
  Activation activation;  // of activate and gated
  float* y;
};

/// Rows of numbers that are combined one by one, a warp a row.
struct CombineRowsArgs {
  ElementwiseArgs numbers;
  uint32_t rows;
  uint32_t width;
};

struct RopeArgs {
  const float* x;
  const float* frequencies;  // [pairs]
  const int32_t* positions;  // of each row
  uint32_t rows;
  uint32_t heads;
  uint32_t head_width;
  uint32_t pairs;
  uint32_t neighbours;  // 1: pair i is (2 i, 2 i + 1), otherwise (i, i + pairs)
  float* y;
};

/// The numbers are those of Pooling.
enum class Pool : uint32_t { mean, first, max };
struct PoolArgs {
  const float* x;
  const int32_t* starts;  // the first row of each sequence, and the end
  uint32_t sequences;
  uint32_t width;
  Pool pool;
  float* y;
};

/// y[r] = x[rows[r]]
struct SelectArgs {
  const float* x;
  const int32_t* selected;
  uint32_t rows;
  uint32_t width;
  float* y;
};

/// The sequences of a batch, and of the cache that they continue.
struct SequencesView {
  const int32_t* starts;  // the first token of each, and the end
  const int32_t* past;    // tokens that came before the first one; 0 without a cache
  const int32_t* slots;   // of the cache
  uint32_t sequences;
};

/// Where an attention reads keys and values.
enum class KeySource : uint32_t { batch, cache_f16, cache_int8 };

/// Keys and values of one attention: rows of the batch, or [slots, kv_heads, capacity, head_width] of a cache.
struct KeysView {
  const float* batch_keys;  // [tokens, kv_heads * head_width]
  const float* batch_values;
  unsigned char* keys;
  unsigned char* values;
  float* key_scales;  // int8: [slots, kv_heads, capacity]
  float* value_scales;
  uint32_t capacity;
};

struct StoreKeysArgs {
  SequencesView sequences;
  KeysView keys;
  uint32_t kv_heads;
  uint32_t head_width;
};

/// q and k are ropes over the rows that `store` puts into the cache; what k gives goes nowhere else.
struct RopeAndStoreArgs {
  RopeArgs q;
  RopeArgs k;
  StoreKeysArgs store;
};

struct AttentionArgs {
  SequencesView sequences;
  KeysView keys;
  const float* q;  // [tokens, heads * head_width]
  float* y;
  uint32_t heads;
  uint32_t kv_heads;
  uint32_t head_width;
  uint32_t causal;
  uint32_t window;  // 0: no limit
  float scale;
  /// Of a split attention: for each split of each head of each sequence the largest score, the sum of the weights, and
  /// the weighted values, [sequences, heads, splits, 2 + head_width].
  float* partial;
  uint32_t splits;
};

/// sum [width, width] += y^T x for y and x [rows, width]
struct MomentArgs {
  const float* y;
  const float* x;
  uint32_t rows;
  uint32_t width;
  double* sum;
};

/// The index of the largest number of each row; of the first one among equals.
struct ArgmaxArgs {
  const float* x;
  uint32_t rows;
  uint32_t width;
  int32_t* y;
};

}  // namespace lathe::cuda
