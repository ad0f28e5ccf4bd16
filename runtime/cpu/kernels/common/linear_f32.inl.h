#pragma once
// f32 linear over F32, written once for every ISA: [outputs / kTileVectors registers][inputs][outputs of the panel].
// Include a simd_*.h, kernel.h and activation.inl.h first and define kTileRows and kTileVectors.

#include "runtime/cpu/kernels/common/part.inl.h"

namespace lathe::kernels {
namespace {

constexpr size_t kPanelWidth = kTileVectors * F32::kWidth;

inline size_t padded_outputs(size_t outputs) { return (outputs + F32::kWidth - 1) / F32::kWidth * F32::kWidth; }

size_t float_packed_bytes(size_t outputs, size_t inputs) noexcept {
  return padded_outputs(outputs) * inputs * sizeof(float);
}

void pack_float(const float* weight, size_t outputs, size_t inputs, void* packed) noexcept {
  auto* out = static_cast<float*>(packed);
  const size_t padded = padded_outputs(outputs);
  for (size_t first = 0; first < padded; first += kPanelWidth) {
    const size_t width = padded - first < kPanelWidth ? padded - first : kPanelWidth;
    float* panel = out + first * inputs;
    for (size_t o = 0; o < width; ++o) {
      const float* row = weight + (first + o) * inputs;
      for (size_t i = 0; i < inputs; ++i) panel[i * width + o] = first + o < outputs ? row[i] : 0.0F;
    }
  }
}

/// ROWS rows times V registers of outputs; the last register of the matrix may be stored in part.
template <size_t ROWS, size_t V>
inline void float_tile(const FloatLinearArgs& args, const float* x, const float* panel, size_t first, float* y) {
  constexpr size_t kWidth = F32::kWidth;
  const size_t x_stride = args.x_stride;
  F32 sum[ROWS][V];
  for (size_t r = 0; r < ROWS; ++r) {
    for (size_t v = 0; v < V; ++v) sum[r][v] = set(0.0F);
  }
  const size_t inputs = args.weight->inputs;
  for (size_t i = 0; i < inputs; ++i, panel += V * kWidth) {
    F32 w[V];
    for (size_t v = 0; v < V; ++v) w[v] = load(panel + v * kWidth);
    for (size_t r = 0; r < ROWS; ++r) {
      const F32 value = set(x[r * x_stride + i]);
      for (size_t v = 0; v < V; ++v) sum[r][v] = multiply_add(value, w[v], sum[r][v]);
    }
  }
  const size_t left = args.weight->outputs - first;
  const float* bias = args.weight->bias + first;
  for (size_t r = 0; r < ROWS; ++r) {
    for (size_t v = 0; v < V; ++v) {
      const F32 value = sum[r][v] + load(bias + v * kWidth);
      float* out = y + r * args.y_stride + v * kWidth;
      if (left >= (v + 1) * kWidth) {
        store(out, value);
      } else {
        store_part(out, value, left - v * kWidth);
      }
    }
  }
  finish_tile(args.epilogue, y, args.y_stride, ROWS, left < V * kWidth ? left : V * kWidth);
}

template <size_t ROWS, size_t V>
void float_rows(const FloatLinearArgs& args, const float* panel, size_t first, size_t row) {
  for (; row + ROWS <= args.rows; row += ROWS) {
    float_tile<ROWS, V>(args, args.x + row * args.x_stride, panel, first, args.y + row * args.y_stride + first);
  }
  if constexpr (ROWS > 1) {
    if (row < args.rows) float_rows<ROWS - 1, V>(args, panel, first, row);
  }
}

template <size_t V>
void float_panel(const FloatLinearArgs& args, const float* panel, size_t first, size_t vectors) {
  if constexpr (V > 1) {
    if (vectors < V) return float_panel<V - 1>(args, panel, first, vectors);
  }
  float_rows<kTileRows, V>(args, panel, first, 0);
}

void run_float(const FloatLinearArgs& args) noexcept {
  const size_t padded = padded_outputs(args.weight->outputs);
  const size_t panels = (padded + kPanelWidth - 1) / kPanelWidth;
  for (size_t p = first_of(args.part, panels); p < end_of(args.part, panels); ++p) {
    const size_t first = p * kPanelWidth;
    const size_t width = padded - first < kPanelWidth ? padded - first : kPanelWidth;
    const float* panel = static_cast<const float*>(args.weight->data) + first * args.weight->inputs;
    float_panel<kTileVectors>(args, panel, first, width / F32::kWidth);
  }
}

}  // namespace
}  // namespace lathe::kernels
