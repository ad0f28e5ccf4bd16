// The masked formats for AVX-512 VNNI with VBMI2: one vpexpandb puts the kept integers of a block in their places.

// These headers must be included in this order: each one uses what the ones before it define.
// clang-format off
#include "runtime/cpu/kernels/kernel.h"
#include "runtime/cpu/kernels/simd/simd_avx512.h"
#include "runtime/cpu/kernels/common/polynomial.inl.h"
#include "runtime/cpu/kernels/common/gelu.inl.h"
#include "runtime/cpu/kernels/common/activation.inl.h"
#include "runtime/cpu/kernels/avx512vnni/tile.inl.h"
#include "runtime/cpu/kernels/avx512vnni/nibbles.inl.h"
#include "runtime/cpu/kernels/avx512vnni/few_rows.inl.h"
#include "runtime/cpu/kernels/avx512vnni/few_rows_masked.inl.h"
// clang-format on

namespace lathe::kernels {
namespace {

inline void expand_int8_masks(const PackedInteger& weight, size_t index, int8_t* out) {
  const Layout layout = layout_of(weight.outputs, weight.inputs, 0);
  const Panel panel = panel_at(layout, index);
  MaskedIntegers source{masked_panel(weight, parts_of(layout, true), panel, index)};
  for (size_t b = 0; b < panel.blocks; ++b) _mm512_storeu_si512(out + b * kBlock, source.next());
}

inline void expand_int4_masks(const PackedInteger& weight, size_t index, int8_t* out) {
  const Layout layout = layout_of(weight.outputs, weight.inputs, weight.group);
  const Parts parts = parts_of(layout, true);
  const Panel panel = panel_at(layout, index);
  MaskedQuants source{masked_panel(weight, parts, panel, index)};
  const auto expand = [&](size_t block, __m512i multipliers) {
    _mm512_storeu_si512(out + block * kBlock, multiply_bytes(source.next(), multipliers));
  };
  const auto* multipliers = static_cast<const uint8_t*>(weight.data) + parts.multipliers;
  for_each_multiplied_block(layout, panel, weight.group, multipliers, expand);
}

void run_int8_masked(const IntegerLinearArgs& args) noexcept {
  if (args.rows <= kFewRows) return for_few_rows<FewMasked>(args);
  run_expanded<expand_int8_masks>(args);
}

void run_int4_masked(const IntegerLinearArgs& args) noexcept {
  if (args.rows <= kFewRows) return for_few_rows<FewMaskedInt4>(args);
  run_expanded<expand_int4_masks>(args);
}

}  // namespace

extern const IntegerLinearKernel kLinearInt8BitmaskVbmi2 = {"linear_int8_bitmask_avx512vnni_vbmi2",
                                                            Isa::avx512vnni,
                                                            IntegerFormat::int8_bitmask,
                                                            true,
                                                            supports_int8,
                                                            packed_bytes_int8_bitmask,
                                                            pack_int8_bitmask,
                                                            scratch_expanded,
                                                            run_int8_masked,
                                                            first_output};
extern const IntegerLinearKernel kLinearInt4BitmaskVbmi2 = {"linear_int4_bitmask_avx512vnni_vbmi2",
                                                            Isa::avx512vnni,
                                                            IntegerFormat::int4_bitmask,
                                                            true,
                                                            supports_int4,
                                                            packed_bytes_int4_bitmask,
                                                            pack_int4_bitmask,
                                                            scratch_expanded,
                                                            run_int4_masked,
                                                            first_output};

}  // namespace lathe::kernels
