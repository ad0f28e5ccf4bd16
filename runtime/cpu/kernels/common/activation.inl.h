#pragma once
// The activation functions over F32. Include kernel.h, a simd_*.h and a gelu.inl.h first. NaN stays NaN.

namespace lathe::kernels {
namespace {

/// 2^x to 1.3e-7 relative; x is held in [-126, 126].
inline F32 exp2(F32 x) {
  // Minimax for the relative error over [-1/2, 1/2].
  constexpr float kExp2[] = {1.00000007F, 0.693146967F, 0.240221197F, 0.0555071327F, 0.00967554133F, 0.00132764719F};
  const F32 held = min(set(126.0F), max(set(-126.0F), x));
  const F32 whole = round_nearest(held);
  return scale_by_power(polynomial(held - whole, kExp2), whole);
}

inline F32 exp(F32 x) { return exp2(x * set(1.44269504F)); }

inline F32 silu(F32 x) { return x / (set(1.0F) + exp(set(0.0F) - x)); }

/// x * (1 + tanh(u)) / 2 with u = sqrt(2 / pi) * (x + 0.044715 x^3), written as x * sigmoid(2 u).
inline F32 gelu_tanh(F32 x) {
  const F32 slope = fma(x * x, set(0.0713548163F), set(1.59576912F));
  return x / (set(1.0F) + exp(set(0.0F) - x * slope));
}

inline F32 tanh(F32 x) {
  const F32 small = exp(abs(x) * set(-2.0F));
  return copy_sign((set(1.0F) - small) / (set(1.0F) + small), x);
}

inline F32 relu(F32 x) { return max(set(0.0F), x); }

inline F32 identity(F32 x) { return x; }

template <F32 (*function)(F32)>
inline void apply(const float* x, size_t x_stride, size_t rows, size_t width, float* y, size_t y_stride) {
  for (size_t r = 0; r < rows; ++r, x += x_stride, y += y_stride) {
    size_t i = 0;
    for (; i + F32::kWidth <= width; i += F32::kWidth) store(y + i, function(load(x + i)));
    if (i < width) store_part(y + i, function(load_part(x + i, width - i)), width - i);
  }
}

using RowsFunction = void (*)(const float* x, size_t x_stride, size_t rows, size_t width, float* y, size_t y_stride);
/// In the order of Epilogue.
constexpr RowsFunction kRowsFunctions[] = {apply<identity>, apply<gelu>, apply<gelu_tanh>,
                                           apply<relu>,     apply<silu>, apply<tanh>};

/// The epilogue of a tile that is still in the first-level cache.
inline void finish_tile(Epilogue kind, float* y, size_t y_stride, size_t rows, size_t width) {
  if (kind == Epilogue::none) return;
  kRowsFunctions[static_cast<size_t>(kind)](y, y_stride, rows, width, y, y_stride);
}

}  // namespace
}  // namespace lathe::kernels
