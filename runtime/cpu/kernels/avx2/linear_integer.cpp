// Integer linear kernels for AVX2. vpmaddubsw would saturate on u8 x s8, so both sides are widened to 16 bits: exact.

// These headers must be included in this order: each one uses what the ones before it define.
// clang-format off
#include "runtime/cpu/kernels/kernel.h"
#include "runtime/cpu/kernels/simd/simd_avx2.h"
#include "runtime/cpu/kernels/common/polynomial.inl.h"
#include "runtime/cpu/kernels/common/gelu.inl.h"
#include "runtime/cpu/kernels/common/activation.inl.h"
// clang-format on

namespace lathe::kernels {
namespace {

constexpr size_t kPanelOutputs = 16;
constexpr size_t kOutputUnit = 16;
constexpr size_t kInputGroup = 2;
constexpr size_t kPaddedInputs = 4;
constexpr size_t kGroupMultiple = 1;
constexpr size_t kTileRows = 6;

/// The rows of a tile widened to 16 bits; the conversion goes in steps of 16 inputs.
inline size_t widened_inputs(size_t inputs) { return (inputs + 15) / 16 * 16; }
inline size_t tile_scratch_bytes(size_t inputs) { return kTileRows * widened_inputs(inputs) * sizeof(int16_t); }

}  // namespace
}  // namespace lathe::kernels

#include "runtime/cpu/kernels/common/panel.inl.h"

namespace lathe::kernels {
namespace {

inline void widen_row(const uint8_t* x, size_t inputs, int16_t* out) {
  for (size_t i = 0; i < inputs; i += 16) {
    const __m256i wide = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x + i)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), wide);
  }
}

[[gnu::always_inline]] inline __m256i load_weights(const int8_t* integers) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(integers)));
}

[[gnu::always_inline]] inline __m256i broadcast_pair(const int16_t* x) {
  int32_t pair;
  __builtin_memcpy(&pair, x, sizeof(pair));
  return _mm256_set1_epi32(pair);
}

/// y of 8 outputs of a row.
[[gnu::always_inline]] inline void dequantize(const IntegerLinearArgs& args, size_t row, size_t output, __m256i sum) {
  const PackedInteger& weight = *args.weight;
  if (output >= weight.outputs) return;
  const __m256i column_sums = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weight.column_sums + output));
  const __m256i zero = _mm256_mullo_epi32(_mm256_set1_epi32(args.x_zeros[row]), column_sums);
  const F32 whole = {_mm256_cvtepi32_ps(_mm256_sub_epi32(sum, zero))};
  const F32 value = whole * (set(args.x_scales[row]) * load(weight.scales + output)) + load(weight.bias + output);
  float* y = args.y + row * args.y_stride + output;
  const size_t left = weight.outputs - output;
  if (left >= F32::kWidth) {
    store(y, value);
  } else {
    store_part(y, value, left);
  }
}

template <size_t ROWS>
[[gnu::noinline]] void tile(const IntegerLinearArgs& args, size_t row, size_t first, const int8_t* integers,
                            size_t pairs, const int16_t* x, size_t x_stride) {
  __m256i low[ROWS];
  __m256i high[ROWS];
  for (size_t r = 0; r < ROWS; ++r) low[r] = high[r] = _mm256_setzero_si256();
  for (size_t k = 0; k < pairs; ++k, integers += kPanelOutputs * 2) {
    const __m256i w0 = load_weights(integers);
    const __m256i w1 = load_weights(integers + 16);
#pragma GCC unroll 6
    for (size_t r = 0; r < ROWS; ++r) {
      const __m256i pair = broadcast_pair(x + r * x_stride + k * 2);
      low[r] = _mm256_add_epi32(low[r], _mm256_madd_epi16(pair, w0));
      high[r] = _mm256_add_epi32(high[r], _mm256_madd_epi16(pair, w1));
    }
  }
#pragma GCC unroll 6
  for (size_t r = 0; r < ROWS; ++r) {
    dequantize(args, row + r, first, low[r]);
    dequantize(args, row + r, first + 8, high[r]);
  }
  const size_t left = args.weight->outputs - first;
  finish_tile(args.epilogue, args.y + row * args.y_stride + first, args.y_stride, ROWS,
              left < kPanelOutputs ? left : kPanelOutputs);
}

template <size_t ROWS>
inline void tile_rows(const IntegerLinearArgs& args, size_t row, const Panel& panel, const int8_t* integers,
                      int16_t* widened) {
  const size_t inputs = panel.blocks * kBlock / panel.width;
  const size_t stride = widened_inputs(inputs);
  for (; row + ROWS <= args.rows; row += ROWS) {
    for (size_t r = 0; r < ROWS; ++r) widen_row(args.x + (row + r) * args.x_stride, inputs, widened + r * stride);
    tile<ROWS>(args, row, panel.first, integers, inputs / 2, widened, stride);
  }
  if constexpr (ROWS > 1) {
    if (row < args.rows) tile_rows<ROWS - 1>(args, row, panel, integers, widened);
  }
}

inline void run_panel(const IntegerLinearArgs& args, const Panel& panel, const int8_t* integers, void* scratch) {
  tile_rows<kTileRows>(args, 0, panel, integers, static_cast<int16_t*>(scratch));
}

}  // namespace
}  // namespace lathe::kernels

#include "runtime/cpu/kernels/common/linear_integer.inl.h"

namespace lathe::kernels {

extern const IntegerLinearKernel kLinearInt8Avx2 = {"linear_int8_avx2",
                                                    Isa::avx2,
                                                    IntegerFormat::int8_dense,
                                                    false,
                                                    supports_int8,
                                                    packed_bytes_int8,
                                                    pack_int8,
                                                    scratch_dense,
                                                    run_int8,
                                                    first_output};
extern const IntegerLinearKernel kLinearInt8BitmaskAvx2 = {"linear_int8_bitmask_avx2",
                                                           Isa::avx2,
                                                           IntegerFormat::int8_bitmask,
                                                           false,
                                                           supports_int8,
                                                           packed_bytes_int8_bitmask,
                                                           pack_int8_bitmask,
                                                           scratch_expanded,
                                                           run_expanded<expand_bitmask<false>>,
                                                           first_output};
extern const IntegerLinearKernel kLinearInt4Avx2 = {
    "linear_int4_avx2", Isa::avx2,        IntegerFormat::int4_dense, false,       supports_int4, packed_bytes_int4,
    pack_int4_dense,    scratch_expanded, run_expanded<expand_int4>, first_output};
extern const IntegerLinearKernel kLinearInt4BitmaskAvx2 = {"linear_int4_bitmask_avx2",
                                                           Isa::avx2,
                                                           IntegerFormat::int4_bitmask,
                                                           false,
                                                           supports_int4,
                                                           packed_bytes_int4_bitmask,
                                                           pack_int4_bitmask,
                                                           scratch_expanded,
                                                           run_expanded<expand_bitmask<true>>,
                                                           first_output};

}  // namespace lathe::kernels
