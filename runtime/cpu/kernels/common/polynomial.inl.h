#pragma once
// Include a simd_*.h first.

namespace lathe::kernels {
namespace {

/// sum_i coefficients[i] * x^i
template <size_t N>
inline F32 polynomial(F32 x, const float (&coefficients)[N]) {
  F32 sum = set(coefficients[N - 1]);
  for (size_t i = N - 1; i-- > 0;) sum = fma(sum, x, set(coefficients[i]));
  return sum;
}

}  // namespace
}  // namespace lathe::kernels
