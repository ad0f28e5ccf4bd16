#pragma once
// The C-like interface between the executor and the kernels. Kernel files include this, their SIMD header and
// <immintrin.h> only, keep everything in an anonymous namespace and export one table: an inline function shared with
// code compiled for an older CPU could leak instructions that it lacks (tests/structure holds the rule with nm).
// Nothing here validates: the executor checks every size and index before it calls. Nothing throws.

#include <cstddef>
#include <cstdint>

namespace lathe::kernels {

enum class Isa : int { generic = 0, avx2 = 1, avx512vnni = 2 };

/// What a linear kernel applies to its output before storing it.
enum class Epilogue : int { none = 0, gelu = 1, gelu_tanh = 2, relu = 3, silu = 4, tanh = 5 };

/// Rows are padded so that vector loads past `inputs` stay inside: strides of quantized rows are multiples of this.
inline constexpr size_t kInputPadding = 64;
// Rows of f32 matrices start at any 4-byte boundary and may be followed by anything; kernels never write past width.

/// The share of a weight's outputs that a call computes: part `index` of `count` parts of nearly equal size.
struct Part {
  size_t index = 0;
  size_t count = 1;
};

// ---- integer linear: u8 activations x int8 weights, one scale a weight row, one scale and zero point a token ----

/// The integers of a weight, [outputs, inputs] row-major, group multipliers already applied: weight = scale * integer.
/// For int4, integer = group_scales[output][input / group] * q with q in [-8, 7] (0 where the group scale is 0).
struct IntegerWeight {
  const int8_t* integers;
  size_t outputs;
  size_t inputs;
  const uint8_t* group_scales;  // [outputs, ceil(inputs / group)], or null for int8
  size_t group;                 // 0 for int8
};

/// A weight in the layout of one kernel. `data` was made by that kernel's pack(); the arrays have `outputs` entries and
/// are readable up to the next multiple of 64 entries.
struct PackedInteger {
  const void* data;
  size_t outputs;
  size_t inputs;
  size_t group;
  const float* scales;         // of each output
  const int32_t* column_sums;  // sum of the integers of each output, for the activations' zero point
  const float* bias;           // zeros for a layer without a bias
};

/// y[r][o] = epilogue(x_scale[r] * scales[o] * (sum_i x[r][i] * w[o][i] - x_zero[r] * column_sums[o]) + bias[o])
struct IntegerLinearArgs {
  const uint8_t* x;  // [rows, x_stride]; entries from `inputs` up to x_stride are readable, their value is ignored
  size_t x_stride;   // multiple of kInputPadding
  const float* x_scales;
  const int32_t* x_zeros;
  size_t rows;
  const PackedInteger* weight;
  float* y;  // [rows, y_stride]
  size_t y_stride;
  Epilogue epilogue;
  void* scratch;  // scratch_bytes(weight shape) bytes, 64-byte aligned, private to the calling thread
  Part part = {};
};

enum class IntegerFormat : int { int8_dense = 0, int8_bitmask = 1, int4_dense = 2, int4_bitmask = 3 };

struct IntegerLinearKernel {
  const char* name;  // for example "linear_int8_avx512vnni"
  Isa isa;
  IntegerFormat format;
  bool needs_vbmi2;  // AVX-512 VBMI2, which the level `isa` does not include
  bool (*supports)(const IntegerWeight& weight) noexcept;
  /// Exact size of what pack() writes for this weight (it may look at the values: bitmask formats store the kept
  /// ones only; kept means integer != 0). Packed data are 64-byte aligned.
  size_t (*packed_bytes)(const IntegerWeight& weight) noexcept;
  void (*pack)(const IntegerWeight& weight, void* packed) noexcept;
  size_t (*scratch_bytes)(size_t outputs, size_t inputs) noexcept;
  void (*run)(const IntegerLinearArgs& args) noexcept;
  /// The first output of part `index` of `count`, which is where the part before it ends; `outputs` for index = count.
  size_t (*first_output)(size_t outputs, size_t index, size_t count) noexcept;
};

// ---- f32 linear ----

struct PackedFloat {
  const void* data;
  size_t outputs;
  size_t inputs;
  const float* bias;  // readable up to the next multiple of 64 entries
};

/// y[r][o] = epilogue(sum_i x[r][i] * w[o][i] + bias[o]); the sum runs over i in order, so that a row's result does
/// not depend on how many rows are computed together.
struct FloatLinearArgs {
  const float* x;
  size_t x_stride;
  size_t rows;
  const PackedFloat* weight;
  float* y;
  size_t y_stride;
  Epilogue epilogue;
  Part part = {};
};

struct FloatLinearKernel {
  const char* name;
  Isa isa;
  size_t (*packed_bytes)(size_t outputs, size_t inputs) noexcept;
  void (*pack)(const float* weight, size_t outputs, size_t inputs, void* packed) noexcept;  // [outputs, inputs]
  void (*run)(const FloatLinearArgs& args) noexcept;
};

// ---- everything else that works on rows ----

/// softmax(scale * q k^T) v for the rows [first_query, first_query + queries) of one head of one sequence.
struct AttentionArgs {
  const float* q;  // row r of the head stands at q + r * q_stride, head_width floats; likewise k and v
  const float* k;
  const float* v;
  size_t q_stride, k_stride, v_stride;
  size_t length;  // keys
  size_t head_width;
  size_t first_query;
  size_t queries;
  float scale;
  float* y;
  size_t y_stride;
  void* scratch;  // attention_scratch_bytes(length, head_width), 64-byte aligned, private to the calling thread
  /// causal: row r of q stands at key position + r and sees that key and those before it, at most `window` of them
  /// where that is not 0. Every query sees at least one key.
  bool causal = false;
  size_t position = 0;
  size_t window = 0;
};

/// The number of tokens whose keys stand side by side in a cache.
inline constexpr size_t kCacheBlock = 16;

/// softmax(scale * q k^T) v of one token over a cache: `heads` query heads that share one head of keys and values look
/// at the tokens [first, end). Elements are f16, or int8 where there are scales, one for each token.
struct CachedAttentionArgs {
  const float* q;  // [heads, head_width]
  size_t heads;
  size_t head_width;
  const void* keys;    // [tokens / kCacheBlock][head_width][kCacheBlock]
  const void* values;  // [tokens][value_stride]; rows are padded to a multiple of kCacheBlock elements
  size_t value_stride;
  const float* key_scales;  // null for f16; readable up to the next multiple of kCacheBlock, like the values'
  const float* value_scales;
  size_t first;
  size_t end;
  float scale;
  float* y;       // [heads, head_width]
  void* scratch;  // attention_cached_scratch_bytes(end, head_width), 64-byte aligned
};

/// Rotates the pairs of every head of each row: (a, b) becomes (a cos - b sin, b cos + a sin).
struct RopeArgs {
  const float* x;
  size_t x_stride;
  size_t rows;
  size_t heads;
  size_t head_width;
  size_t pairs;            // 2 * pairs <= head_width; the rest of a head is copied
  bool neighbours;         // pair i is (2 i, 2 i + 1), otherwise (i, i + pairs)
  const float* rotations;  // for each row `pairs` cosines, then `pairs` sines
  float* y;                // may be x
  size_t y_stride;
};

struct RowKernels {
  const char* name;
  Isa isa;
  /// y = layer_norm(a + b) * gamma + beta for each row; b may be null; y may be a.
  void (*add_layer_norm)(const float* a, size_t a_stride, const float* b, size_t b_stride, size_t rows, size_t width,
                         const float* gamma, const float* beta, float epsilon, float* y, size_t y_stride) noexcept;
  /// y = a + b; y may be a.
  void (*add)(const float* a, size_t a_stride, const float* b, size_t b_stride, size_t rows, size_t width, float* y,
              size_t y_stride) noexcept;
  /// y = epilogue(x), element by element; y may be x.
  void (*activate)(Epilogue kind, const float* x, size_t x_stride, size_t rows, size_t width, float* y,
                   size_t y_stride) noexcept;
  /// u8 rows: with lo = min(0, row), hi = max(0, row): scale = (hi - lo) / 255, zero = round(-lo / scale),
  /// out = clamp(round(x / scale) + zero, 0, 255), rounding half to even; an all-zero row gets scale 1, zero 0.
  /// Entries from width up to out_stride are set to 0.
  void (*quantize)(const float* x, size_t x_stride, size_t rows, size_t width, uint8_t* out, size_t out_stride,
                   float* scales, int32_t* zeros) noexcept;
  /// Two u8 rows for each row: x / scale + 256 * zero rounded to 16 bits, first the upper eight of them with scale
  /// 256 * scale and that zero, then the lower eight with scale and zero 0. So the sum of what an integer linear
  /// kernel makes of the two (without bias) is the product.
  void (*quantize_wide)(const float* x, size_t x_stride, size_t rows, size_t width, uint8_t* out, size_t out_stride,
                        float* scales, int32_t* zeros) noexcept;
  /// y = epilogue(pairs[2 r] + pairs[2 r + 1] + bias) for each row r.
  void (*join_pairs)(Epilogue kind, const float* pairs, size_t pair_stride, const float* bias, size_t rows,
                     size_t width, float* y, size_t y_stride) noexcept;
  /// y += scale * x, for embedding tables of int8.
  void (*accumulate_int8)(const int8_t* x, float scale, size_t width, float* y) noexcept;
  size_t (*attention_scratch_bytes)(size_t length, size_t head_width) noexcept;
  void (*attention)(const AttentionArgs& args) noexcept;
  size_t (*attention_cached_scratch_bytes)(size_t length, size_t head_width) noexcept;
  void (*attention_cached)(const CachedAttentionArgs& args) noexcept;
  /// y = x / sqrt(mean(x^2) + epsilon) * gamma for each of the `groups` parts of `width` of each row; y may be x.
  void (*rms_norm)(const float* x, size_t x_stride, size_t rows, size_t groups, size_t width, const float* gamma,
                   float epsilon, float* y, size_t y_stride) noexcept;
  /// y = a * b; y may be a.
  void (*multiply)(const float* a, size_t a_stride, const float* b, size_t b_stride, size_t rows, size_t width,
                   float* y, size_t y_stride) noexcept;
  void (*rope)(const RopeArgs& args) noexcept;
  /// Rounds to nearest even; too large becomes infinite.
  void (*to_f16)(const float* x, size_t count, uint16_t* y) noexcept;
  void (*from_f16)(const uint16_t* x, size_t count, float* y) noexcept;
};

}  // namespace lathe::kernels
