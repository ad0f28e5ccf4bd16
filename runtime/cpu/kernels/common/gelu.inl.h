#pragma once
// GELU by sixteen short polynomials, whose coefficients are picked lane by lane from registers: half the work of one
// long polynomial. Include a simd_*.h first.

namespace lathe::kernels {
namespace {

constexpr float kGeluStep = 0.35F;
/// x * (1 + erf(x / sqrt 2)) / 2 = max(x, 0) + r(|x|). Row p holds, for each k, the coefficient of d^p of r around
/// k * kGeluStep, |d| <= kGeluStep / 2: interpolation at Chebyshev points.
alignas(64) constexpr float kGeluTable[5][16] = {
    {0.0F, -0.127109259F, -0.169374555F, -0.154202014F, -0.113059327F, -0.0701035261F, -0.0375152826F, -0.0174998846F,
     -0.00715436367F, -0.00257150945F, -0.000814201834F, -0.00022737695F, -5.60522494e-05F, -1.22044949e-05F,
     -2.34801587e-06F, -3.9926573e-07F},
    {-0.500000417F, -0.231840536F, -0.023392722F, 0.0945130214F, 0.128861636F, 0.110928454F, 0.0745036155F,
     0.0414601341F, 0.0196085051F, 0.00798540842F, 0.00282151322F, 0.000869109121F, 0.000234133084F, 5.5286815e-05F,
     1.14619679e-05F, 2.08884626e-06F},
    {0.398960203F, 0.352253586F, 0.235752448F, 0.103162974F, 0.00299761165F, -0.045833759F, -0.0530008189F,
     -0.0397005491F, -0.0231138133F, -0.0110689839F, -0.00447247224F, -0.00154583866F, -0.000460874697F,
     -0.000119174867F, -2.68302792e-05F, -5.2735918e-06F},
    {-0.000255306484F, -0.0841797516F, -0.126975626F, -0.116019927F, -0.0712499991F, -0.023893306F, 0.00598671706F,
     0.0160346739F, 0.0141361132F, 0.00870838296F, 0.00423211418F, 0.0016966F, 0.000573493424F, 0.00016553227F,
     4.11269139e-05F, 8.84370365e-06F},
    {-0.0652383268F, -0.0490815938F, -0.0106042158F, 0.0236715227F, 0.0364063308F, 0.0288767889F, 0.0136530409F,
     0.0017336352F, -0.00343081611F, -0.00382215297F, -0.00248632231F, -0.00121245894F, -0.000476015848F,
     -0.000155286034F, -4.28217209e-05F, -1.00881707e-05F}};

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
