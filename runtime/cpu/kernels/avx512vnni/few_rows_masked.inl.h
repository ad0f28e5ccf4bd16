#pragma once
// The masked formats for few rows, with VBMI2. Include few_rows.inl.h first.

namespace lathe::kernels {
namespace {

/// The next 64 integers of a masked panel.
struct MaskedIntegers {
  MaskedPanel at;

  [[gnu::always_inline]] __m512i next() {
    const uint64_t mask = *at.masks++;
    const __m512i w = _mm512_maskz_expand_epi8(mask, _mm512_loadu_si512(at.values));
    at.values += count_bits(mask);
    return w;
  }
};

/// The next 64 quants.
struct MaskedQuants {
  MaskedPanel at;

  [[gnu::always_inline]] __m512i next() {
    const uint64_t mask = *at.masks++;
    const __m512i pairs = _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at.values)));
    const __m512i nibbles = _mm512_and_si512(_mm512_set1_epi8(15), _mm512_or_si512(pairs, _mm512_slli_epi16(pairs, 4)));
    at.values += kept_bytes<true>(mask);
    return _mm512_maskz_expand_epi8(mask, signed_nibbles(nibbles));
  }
};

/// The products of the quads [first, end).
template <size_t ROWS, size_t V, class Source>
[[gnu::always_inline]] inline void add_products(const IntegerLinearArgs& args, size_t row, size_t first, size_t end,
                                                Source& source, __m512i (&sums)[V][ROWS]) {
  const uint8_t* x = args.x + row * args.x_stride;
  const size_t stride = args.x_stride;
  for (size_t k = first; k < end; ++k) {
    for (size_t v = 0; v < V; ++v) {
      const __m512i w = source.next();
      for (size_t r = 0; r < ROWS; ++r) {
        sums[v][r] = dot_accumulate(sums[v][r], broadcast_quad(x + r * stride + k * 4), w);
      }
    }
    prefetch(source.at.values);
    prefetch(source.at.values + 64);
    prefetch(source.at.masks);
  }
}

template <size_t ROWS, size_t V>
[[gnu::noinline]] void few_masked(const IntegerLinearArgs& args, size_t row, const Panel& panel, const GroupedPanel&,
                                  const MaskedPanel& at) {
  MaskedIntegers source{at};
  __m512i sums[V][ROWS] = {};
  add_products<ROWS, V>(args, row, 0, panel.blocks / V, source, sums);
  finish_few<ROWS, V>(args, row, panel, sums);
}

template <size_t ROWS, size_t V>
[[gnu::noinline]] void few_masked_int4(const IntegerLinearArgs& args, size_t row, const Panel& panel,
                                       const GroupedPanel& grouped, const MaskedPanel& at) {
  MaskedQuants source{at};
  const size_t quads = panel.blocks / V;
  const uint8_t* multipliers = grouped.multipliers;
  __m512i sums[V][ROWS] = {};
  for (size_t first = 0; first < quads; first += grouped.quads_a_group, multipliers += grouped.stride) {
    const size_t end = quads - first < grouped.quads_a_group ? quads : first + grouped.quads_a_group;
    __m512i products[V][ROWS] = {};
    add_products<ROWS, V>(args, row, first, end, source, products);
    for (size_t v = 0; v < V; ++v) add_group<ROWS>(multipliers + v * 16, products[v], nullptr, sums[v]);
  }
  finish_few<ROWS, V>(args, row, panel, sums);
}

template <size_t ROWS, bool NIBBLES>
inline void few_rows_masked(const IntegerLinearArgs& args, size_t row) {
  const PackedInteger& weight = *args.weight;
  const Layout layout = layout_of(weight.outputs, weight.inputs, NIBBLES ? weight.group : 0);
  const Parts parts = parts_of(layout, true);
  using Function = decltype(&few_masked<ROWS, 1>);
  constexpr Function kIntegers[] = {few_masked<ROWS, 1>, few_masked<ROWS, 2>, few_masked<ROWS, 3>};
  constexpr Function kQuants[] = {few_masked_int4<ROWS, 1>, few_masked_int4<ROWS, 2>, few_masked_int4<ROWS, 3>};
  for (size_t p = first_of(args.part, layout.panels); p < end_of(args.part, layout.panels); ++p) {
    const Panel panel = panel_at(layout, p);
    (NIBBLES ? kQuants : kIntegers)[panel.width / kOutputUnit - 1](
        args, row, panel, grouped_panel(weight, layout, parts, panel), masked_panel(weight, parts, panel, p));
  }
}

template <size_t ROWS>
struct FewMasked {
  static void run(const IntegerLinearArgs& args, size_t row) { few_rows_masked<ROWS, false>(args, row); }
};
template <size_t ROWS>
struct FewMaskedInt4 {
  static void run(const IntegerLinearArgs& args, size_t row) { few_rows_masked<ROWS, true>(args, row); }
};

}  // namespace
}  // namespace lathe::kernels
