// The row kernels for any CPU.

// These headers must be included in this order: each one uses what the ones before it define.
// clang-format off
#include "runtime/cpu/kernels/kernel.h"
#include "runtime/cpu/kernels/simd/simd_generic.h"
#include "runtime/cpu/kernels/common/polynomial.inl.h"
#include "runtime/cpu/kernels/common/gelu.inl.h"
#include "runtime/cpu/kernels/common/activation.inl.h"
#include "runtime/cpu/kernels/common/rows.inl.h"
// clang-format on

namespace lathe::kernels {
namespace {
constexpr size_t kKeyTile = 4;
constexpr size_t kQueryTile = 4;
constexpr size_t kWidthVectors = 2;
}  // namespace
}  // namespace lathe::kernels

#include "runtime/cpu/kernels/common/attention.inl.h"
// clang-format off
#include "runtime/cpu/kernels/common/attention_cached.inl.h"
// clang-format on

namespace lathe::kernels {

extern const RowKernels kRowsGeneric = {
    .name = "rows_generic",
    .isa = Isa::generic,
    .add_layer_norm = add_layer_norm,
    .add = add,
    .activate = activate,
    .quantize = quantize,
    .quantize_wide = quantize_wide,
    .join_pairs = join_pairs,
    .accumulate_int8 = accumulate_int8,
    .attention_scratch_bytes = attention_scratch_bytes,
    .attention = attention,
    .attention_cached_scratch_bytes = attention_cached_scratch_bytes,
    .attention_cached = attention_cached,
    .rms_norm = rms_norm,
    .multiply = multiply,
    .rope = rope,
    .to_f16 = to_f16,
    .from_f16 = from_f16,
};

}  // namespace lathe::kernels
