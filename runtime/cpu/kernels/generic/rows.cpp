// The row kernels for any CPU.

// The order matters: each text builds on what stands before it.
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

extern const RowKernels kRowsGeneric = {"rows_generic",   Isa::generic,
                                        add_layer_norm,   add,
                                        activate,         quantize,
                                        quantize_wide,    join_pairs,
                                        accumulate_int8,  attention_scratch_bytes,
                                        attention,        attention_cached_scratch_bytes,
                                        attention_cached, rms_norm,
                                        multiply,         rope,
                                        to_f16,           from_f16};

}  // namespace lathe::kernels
