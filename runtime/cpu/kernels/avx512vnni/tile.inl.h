#pragma once
// The int8 tile of AVX-512 VNNI: up to 8 rows times 48 outputs, exact int32 sums. A panel's integers stand as
// [inputs / 4][outputs][4], one register for 16 outputs. Include kernel.h, simd_avx512.h and activation.inl.h first.

namespace lathe::kernels {
namespace {

constexpr size_t kPanelOutputs = 48;
constexpr size_t kOutputUnit = 16;
constexpr size_t kInputGroup = 4;
constexpr size_t kPaddedInputs = 4;
constexpr size_t kGroupMultiple = 4;
inline size_t tile_scratch_bytes(size_t) { return 0; }

}  // namespace
}  // namespace lathe::kernels

#include "runtime/cpu/kernels/common/panel.inl.h"

namespace lathe::kernels {
namespace {

constexpr size_t kTileRows = 8;

/// sum plus the four products of each lane. Assembly, since GCC 12 copies the accumulators to the stack and back around
/// the intrinsic.
[[gnu::always_inline]] inline __m512i dot_accumulate(__m512i sum, __m512i x, __m512i w) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
  return sum;
}

[[gnu::always_inline]] inline __m512i broadcast_quad(const uint8_t* x) {
  int32_t quad;
  __builtin_memcpy(&quad, x, sizeof(quad));
  return _mm512_set1_epi32(quad);
}

/// y = x_scale * scale * (sum - zero * column_sum) + bias for one register of outputs of ROWS rows.
template <size_t ROWS>
[[gnu::always_inline]] inline void dequantize(const IntegerLinearArgs& args, size_t row, size_t output, size_t lanes,
                                              const __m512i (&sums)[ROWS]) {
  const PackedInteger& weight = *args.weight;
  const __m512i column_sums = _mm512_loadu_si512(weight.column_sums + output);
  const __m512 scales = _mm512_loadu_ps(weight.scales + output);
  const __m512 bias = _mm512_loadu_ps(weight.bias + output);
  const __mmask16 mask = lanes < 16 ? first_lanes(lanes) : 0xFFFF;
  float* y = args.y + row * args.y_stride + output;
#pragma GCC unroll 8
  for (size_t r = 0; r < ROWS; ++r) {
    const __m512i zero = _mm512_mullo_epi32(_mm512_set1_epi32(args.x_zeros[row + r]), column_sums);
    const __m512 scale = _mm512_mul_ps(_mm512_set1_ps(args.x_scales[row + r]), scales);
    const __m512 whole = _mm512_cvtepi32_ps(_mm512_sub_epi32(sums[r], zero));
    _mm512_mask_storeu_ps(y + r * args.y_stride, mask, _mm512_add_ps(_mm512_mul_ps(whole, scale), bias));
  }
}

/// ROWS rows from `row` on times V registers of outputs from `first` on.
template <size_t ROWS, size_t V>
[[gnu::noinline]] void tile(const IntegerLinearArgs& args, size_t row, size_t first, const int8_t* integers,
                            size_t quads) {
  const uint8_t* x = args.x + row * args.x_stride;
  const size_t stride = args.x_stride;
  __m512i sum[V][ROWS];
  for (size_t v = 0; v < V; ++v) {
    for (size_t r = 0; r < ROWS; ++r) sum[v][r] = _mm512_setzero_si512();
  }
  for (size_t k = 0; k < quads; ++k, integers += V * kBlock) {
    __m512i w[V];
    for (size_t v = 0; v < V; ++v) w[v] = _mm512_loadu_si512(integers + v * kBlock);
    for (size_t r = 0; r < ROWS; ++r) {
      const __m512i quad = broadcast_quad(x + r * stride + k * 4);
      for (size_t v = 0; v < V; ++v) sum[v][r] = dot_accumulate(sum[v][r], quad, w[v]);
    }
  }
  const size_t left = args.weight->outputs - first;
#pragma GCC unroll 3
  for (size_t v = 0; v < V; ++v) dequantize<ROWS>(args, row, first + v * 16, left - v * 16, sum[v]);
  finish_tile(args.epilogue, args.y + row * args.y_stride + first, args.y_stride, ROWS, left < V * 16 ? left : V * 16);
}

template <size_t ROWS, size_t V>
inline void tile_rows(const IntegerLinearArgs& args, size_t row, size_t first, const int8_t* integers, size_t quads) {
  for (; row + ROWS <= args.rows; row += ROWS) tile<ROWS, V>(args, row, first, integers, quads);
  if constexpr (ROWS > 1) {
    if (row < args.rows) tile_rows<ROWS - 1, V>(args, row, first, integers, quads);
  }
}

using PanelFunction = void (*)(const IntegerLinearArgs&, size_t row, size_t first, const int8_t*, size_t quads);
constexpr PanelFunction kPanelFunctions[] = {tile_rows<kTileRows, 1>, tile_rows<kTileRows, 2>, tile_rows<kTileRows, 3>};

inline void run_panel(const IntegerLinearArgs& args, const Panel& panel, const int8_t* integers, void*) {
  const size_t vectors = panel.width / kOutputUnit;
  kPanelFunctions[vectors - 1](args, 0, panel.first, integers, panel.blocks / vectors);
}

}  // namespace
}  // namespace lathe::kernels

#include "runtime/cpu/kernels/common/linear_integer.inl.h"
