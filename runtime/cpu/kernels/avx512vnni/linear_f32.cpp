// f32 linear for AVX-512.

// These headers must be included in this order: each one uses what the ones before it define.
// clang-format off
#include "runtime/cpu/kernels/kernel.h"
#include "runtime/cpu/kernels/simd/simd_avx512.h"
#include "runtime/cpu/kernels/common/polynomial.inl.h"
#include "runtime/cpu/kernels/common/gelu.inl.h"
#include "runtime/cpu/kernels/common/activation.inl.h"
// clang-format on

namespace lathe::kernels {
namespace {
constexpr size_t kTileRows = 8;
constexpr size_t kTileVectors = 3;
}  // namespace
}  // namespace lathe::kernels

#include "runtime/cpu/kernels/common/linear_f32.inl.h"

namespace lathe::kernels {

extern const FloatLinearKernel kLinearF32Avx512Vnni = {"linear_f32_avx512vnni", Isa::avx512vnni, float_packed_bytes,
                                                       pack_float, run_float};

}  // namespace lathe::kernels
