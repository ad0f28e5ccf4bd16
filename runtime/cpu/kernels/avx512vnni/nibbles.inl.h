#pragma once
// Vector arithmetic of the int4 formats. Include tile.inl.h first.

namespace lathe::kernels {
namespace {

/// The signed values of nibbles 0..15, one a byte.
[[gnu::always_inline]] inline __m512i signed_nibbles(__m512i nibbles) {
  const __m512i values = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, -8, -7, -6, -5, -4, -3, -2, -1));
  return _mm512_shuffle_epi8(values, nibbles);
}

/// The multipliers of 16 outputs, each in both halves of its 32-bit lane.
[[gnu::always_inline]] inline __m512i load_multipliers(const uint8_t* multipliers) {
  const __m512i wide = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(multipliers)));
  return _mm512_or_si512(wide, _mm512_slli_epi32(wide, 16));
}

/// Bytes times load_multipliers(), modulo 256: there is no multiplication of bytes, so even and odd bytes are
/// multiplied one after the other.
[[gnu::always_inline]] inline __m512i multiply_bytes(__m512i bytes, __m512i multipliers) {
  const __m512i low = _mm512_set1_epi16(0x00FF);
  const __m512i even = _mm512_and_si512(low, _mm512_mullo_epi16(bytes, multipliers));
  return _mm512_or_si512(even, _mm512_mullo_epi16(_mm512_andnot_si512(low, bytes), multipliers));
}

/// Calls use(block, multipliers) for the blocks of a panel in order.
template <class Use>
[[gnu::always_inline]] inline void for_each_multiplied_block(const Layout& layout, const Panel& panel, size_t group,
                                                             const uint8_t* multipliers, Use use) {
  const size_t vectors = panel.width / kOutputUnit;
  const size_t quads = layout.inputs / kInputGroup;
  const size_t quads_a_group = group / kInputGroup;
  multipliers += panel.first;
  size_t block = 0;
  for (size_t first = 0; first < quads; first += quads_a_group, multipliers += layout.padded) {
    __m512i wide[kPanelOutputs / kOutputUnit] = {};
    for (size_t v = 0; v < vectors; ++v) wide[v] = load_multipliers(multipliers + v * kOutputUnit);
    const size_t end = quads - first < quads_a_group ? quads : first + quads_a_group;
    for (size_t k = first; k < end; ++k) {
      for (size_t v = 0; v < vectors; ++v) use(block++, wide[v]);
    }
  }
}

}  // namespace
}  // namespace lathe::kernels
