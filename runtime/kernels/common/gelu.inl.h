#pragma once
// GELU by one polynomial. Include a simd_*.h and polynomial.inl.h first.

namespace lathe::kernels {
namespace {

/// x * (1 + erf(x / sqrt 2)) / 2 to 8e-7 absolute. Beyond 5.2 the function is max(x, 0) to 5.2e-7.
inline F32 gelu(F32 x) {
  // erf(x / sqrt 2) / (2 x) in t = x^2 * 2 / 5.2^2 - 1, minimax for the error of gelu over |x| <= 5.2.
  constexpr float kErf[] = {0.135949981F,   -0.0677436182F,  0.0500256151F,  -0.0399319858F,  0.0319739171F,
                            -0.0246988421F, 0.018038769F,    -0.0126196498F, 0.00836510536F,  -0.00454233551F,
                            0.00200517006F, -0.00146875105F, 0.00118868983F, -0.000388243595F};
  constexpr float kEdge = 5.2F;
  const F32 square = x * x;
  const F32 half_erf = polynomial(fma(square, set(2.0F / (kEdge * kEdge)), set(-1.0F)), kErf) * x;
  return select_less(square, set(kEdge * kEdge), fma(half_erf, x, x * set(0.5F)), max(set(0.0F), x));
}

}  // namespace
}  // namespace lathe::kernels
