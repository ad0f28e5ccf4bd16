// The masked formats for AVX-512 VNNI with VBMI2: one vpexpandb puts the kept integers of a block in their places.

// The order matters: each text builds on what stands before it.
// clang-format off
#include "runtime/kernels/kernel.h"
#include "runtime/kernels/simd/simd_avx512.h"
#include "runtime/kernels/common/polynomial.inl.h"
#include "runtime/kernels/common/gelu.inl.h"
#include "runtime/kernels/common/activation.inl.h"
#include "runtime/kernels/avx512vnni/tile.inl.h"
#include "runtime/kernels/avx512vnni/nibbles.inl.h"
#include "runtime/kernels/avx512vnni/few_rows.inl.h"
#include "runtime/kernels/avx512vnni/few_rows_masked.inl.h"
// clang-format on

namespace lathe::kernels {
namespace {

inline void expand_int8_masks(const PackedInteger& weight, size_t index, int8_t* out) {
  const Layout layout = layout_of(weight.outputs, weight.inputs, 0);
  const Parts parts = parts_of(layout, true);
  const Panel panel = panel_at(layout, index);
  const auto* bytes = static_cast<const uint8_t*>(weight.data);
  const uint64_t* masks = reinterpret_cast<const uint64_t*>(bytes + parts.masks) + panel.block;
  const uint8_t* values = bytes + parts.values + static_cast<const uint64_t*>(weight.data)[index];
  for (size_t b = 0; b < panel.blocks; ++b) {
    const uint64_t mask = masks[b];
    _mm512_storeu_si512(out + b * kBlock, _mm512_maskz_expand_epi8(mask, _mm512_loadu_si512(values)));
    values += count_bits(mask);
  }
}

inline void expand_int4_masks(const PackedInteger& weight, size_t index, int8_t* out) {
  const Layout layout = layout_of(weight.outputs, weight.inputs, weight.group);
  const Parts parts = parts_of(layout, true);
  const Panel panel = panel_at(layout, index);
  const auto* bytes = static_cast<const uint8_t*>(weight.data);
  const uint64_t* masks = reinterpret_cast<const uint64_t*>(bytes + parts.masks) + panel.block;
  const uint8_t* values = bytes + parts.values + static_cast<const uint64_t*>(weight.data)[index];
  const __m512i low = _mm512_set1_epi8(15);
  const auto expand = [&](size_t block, __m512i multipliers) {
    const uint64_t mask = masks[block];
    const __m512i pairs = _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(values)));
    const __m512i nibbles = _mm512_and_si512(low, _mm512_or_si512(pairs, _mm512_slli_epi16(pairs, 4)));
    const __m512i quants = _mm512_maskz_expand_epi8(mask, signed_nibbles(nibbles));
    _mm512_storeu_si512(out + block * kBlock, multiply_bytes(quants, multipliers));
    values += kept_bytes<true>(mask);
  };
  for_each_multiplied_block(layout, panel, weight.group, bytes + parts.multipliers, expand);
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
