// Dense int4 linear for AVX-512 VNNI, and the masked formats for CPUs of this level without VBMI2.

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
// clang-format on

namespace lathe::kernels {
namespace {

inline void expand_int4_vectors(const PackedInteger& weight, size_t index, int8_t* out) {
  const Layout layout = layout_of(weight.outputs, weight.inputs, weight.group);
  const Parts parts = parts_of(layout, false);
  const Panel panel = panel_at(layout, index);
  const auto* bytes = static_cast<const uint8_t*>(weight.data);
  const uint8_t* values = bytes + parts.values + panel.block * (kBlock / 2);
  const __m256i low = _mm256_set1_epi8(15);
  const auto expand = [&](size_t block, __m512i multipliers) {
    const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values + block * (kBlock / 2)));
    const __m256i high = _mm256_and_si256(_mm256_srli_epi16(pairs, 4), low);
    const __m512i nibbles = _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_and_si256(pairs, low)), high, 1);
    _mm512_storeu_si512(out + block * kBlock, multiply_bytes(signed_nibbles(nibbles), multipliers));
  };
  for_each_multiplied_block(layout, panel, weight.group, bytes + parts.multipliers, expand);
}

void run_int4(const IntegerLinearArgs& args) noexcept {
  if (args.rows <= kFewRows) return for_few_rows<FewInt4>(args);
  run_expanded<expand_int4_vectors>(args);
}

}  // namespace

extern const IntegerLinearKernel kLinearInt4Avx512Vnni = {
    "linear_int4_avx512vnni", Isa::avx512vnni, IntegerFormat::int4_dense, false,    supports_int4,
    packed_bytes_int4,        pack_int4_dense, scratch_expanded,          run_int4, first_output};
extern const IntegerLinearKernel kLinearInt8BitmaskAvx512Vnni = {"linear_int8_bitmask_avx512vnni",
                                                                 Isa::avx512vnni,
                                                                 IntegerFormat::int8_bitmask,
                                                                 false,
                                                                 supports_int8,
                                                                 packed_bytes_int8_bitmask,
                                                                 pack_int8_bitmask,
                                                                 scratch_expanded,
                                                                 run_expanded<expand_bitmask<false>>,
                                                                 first_output};
extern const IntegerLinearKernel kLinearInt4BitmaskAvx512Vnni = {"linear_int4_bitmask_avx512vnni",
                                                                 Isa::avx512vnni,
                                                                 IntegerFormat::int4_bitmask,
                                                                 false,
                                                                 supports_int4,
                                                                 packed_bytes_int4_bitmask,
                                                                 pack_int4_bitmask,
                                                                 scratch_expanded,
                                                                 run_expanded<expand_bitmask<true>>,
                                                                 first_output};

}  // namespace lathe::kernels
