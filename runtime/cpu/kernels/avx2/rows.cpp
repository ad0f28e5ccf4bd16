// The row kernels for AVX2 with FMA.

// The order matters: each text builds on what stands before it.
// clang-format off
#include "runtime/cpu/kernels/kernel.h"
#include "runtime/cpu/kernels/simd/simd_avx2.h"
#include "runtime/cpu/kernels/common/polynomial.inl.h"
#include "runtime/cpu/kernels/common/gelu.inl.h"
#include "runtime/cpu/kernels/common/activation.inl.h"
#include "runtime/cpu/kernels/common/rows.inl.h"
// clang-format on

namespace lathe::kernels {
namespace {
constexpr size_t kKeyTile = 6;
constexpr size_t kQueryTile = 6;
constexpr size_t kWidthVectors = 2;
}  // namespace
}  // namespace lathe::kernels

#include "runtime/cpu/kernels/common/attention.inl.h"
// clang-format off
#include "runtime/cpu/kernels/common/attention_cached.inl.h"
// clang-format on

namespace lathe::kernels {

extern const RowKernels kRowsAvx2 = {"rows_avx2",      Isa::avx2,
                                     add_layer_norm,   add,
                                     activate,         quantize,
                                     quantize_wide,    join_pairs,
                                     accumulate_int8,  attention_scratch_bytes,
                                     attention,        attention_cached_scratch_bytes,
                                     attention_cached, rms_norm,
                                     multiply,         rope,
                                     to_f16,           from_f16};

}  // namespace lathe::kernels
