#pragma once
// GELU by sixteen short polynomials, whose coefficients are picked lane by lane from registers: half the work of one
// long polynomial. Include a simd_*.h first.

#include "runtime/cpu/kernels/common/gelu_table.inl.h"

namespace lathe::kernels {
namespace {

/// To 3e-7 absolute. Beyond 5.42 the function is max(x, 0) to 1.7e-7.
inline F32 gelu(F32 x) {
  const F32 magic = set(12582912.0F);  // 1.5 * 2^23: the sum's low bits are the nearest integer
  const F32 size = min(abs(x), set(15.49F * kGeluStep));
  const F32 shifted = fma(size, set(1.0F / kGeluStep), magic);
  const F32 d = fma(magic - shifted, set(kGeluStep), size);
  F32 sum = pick(kGeluTable[4], shifted);
  for (size_t p = 4; p-- > 0;) sum = fma(sum, d, pick(kGeluTable[p], shifted));
  return max(set(0.0F), x) + sum;
}

}  // namespace
}  // namespace lathe::kernels
