// Integer linear kernels in plain C++: a panel is one output, its integers in the order of the inputs.

// These headers must be included in this order: each one uses what the ones before it define.
// clang-format off
#include "runtime/cpu/kernels/kernel.h"
#include "runtime/cpu/kernels/simd/simd_generic.h"
#include "runtime/cpu/kernels/common/polynomial.inl.h"
#include "runtime/cpu/kernels/common/gelu.inl.h"
#include "runtime/cpu/kernels/common/activation.inl.h"
// clang-format on

namespace lathe::kernels {
namespace {
constexpr size_t kPanelOutputs = 1;
constexpr size_t kOutputUnit = 1;
constexpr size_t kInputGroup = 1;
constexpr size_t kPaddedInputs = 64;
constexpr size_t kGroupMultiple = 1;
inline size_t tile_scratch_bytes(size_t) { return 0; }
}  // namespace
}  // namespace lathe::kernels

#include "runtime/cpu/kernels/common/panel.inl.h"

namespace lathe::kernels {
namespace {

inline int32_t dot(const uint8_t* x, const int8_t* w, size_t n) {
  int32_t sum = 0;
  for (size_t i = 0; i < n; ++i) sum += static_cast<int32_t>(x[i]) * static_cast<int32_t>(w[i]);
  return sum;
}

inline void run_panel(const IntegerLinearArgs& args, const Panel& panel, const int8_t* integers, void*) {
  const PackedInteger& weight = *args.weight;
  const size_t o = panel.first;
  for (size_t r = 0; r < args.rows; ++r) {
    const int32_t sum = dot(args.x + r * args.x_stride, integers, panel.blocks * kBlock);
    const auto whole = static_cast<float>(sum - args.x_zeros[r] * weight.column_sums[o]);
    float* y = args.y + r * args.y_stride + o;
    *y = whole * (args.x_scales[r] * weight.scales[o]) + weight.bias[o];
  }
  // The epilogue runs over whole rows once all outputs of the part are there; column by column it would be called for
  // single values.
  if (o + 1 != end_of(args.part, weight.outputs)) return;
  const size_t first = first_of(args.part, weight.outputs);
  finish_tile(args.epilogue, args.y + first, args.y_stride, args.rows, o + 1 - first);
}

}  // namespace
}  // namespace lathe::kernels

#include "runtime/cpu/kernels/common/linear_integer.inl.h"

namespace lathe::kernels {

extern const IntegerLinearKernel kLinearInt8Generic = {"linear_int8_generic",
                                                       Isa::generic,
                                                       IntegerFormat::int8_dense,
                                                       false,
                                                       supports_int8,
                                                       packed_bytes_int8,
                                                       pack_int8,
                                                       scratch_dense,
                                                       run_int8,
                                                       first_output};
extern const IntegerLinearKernel kLinearInt8BitmaskGeneric = {"linear_int8_bitmask_generic",
                                                              Isa::generic,
                                                              IntegerFormat::int8_bitmask,
                                                              false,
                                                              supports_int8,
                                                              packed_bytes_int8_bitmask,
                                                              pack_int8_bitmask,
                                                              scratch_expanded,
                                                              run_expanded<expand_bitmask<false>>,
                                                              first_output};
extern const IntegerLinearKernel kLinearInt4Generic = {
    "linear_int4_generic", Isa::generic,     IntegerFormat::int4_dense, false,       supports_int4, packed_bytes_int4,
    pack_int4_dense,       scratch_expanded, run_expanded<expand_int4>, first_output};
extern const IntegerLinearKernel kLinearInt4BitmaskGeneric = {"linear_int4_bitmask_generic",
                                                              Isa::generic,
                                                              IntegerFormat::int4_bitmask,
                                                              false,
                                                              supports_int4,
                                                              packed_bytes_int4_bitmask,
                                                              pack_int4_bitmask,
                                                              scratch_expanded,
                                                              run_expanded<expand_bitmask<true>>,
                                                              first_output};

}  // namespace lathe::kernels
