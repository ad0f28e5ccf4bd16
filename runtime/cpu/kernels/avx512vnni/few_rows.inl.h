#pragma once
// The compressed formats for few rows, as in generation token by token: every block is used straight from its
// compressed form, since expanding a panel first would cost more than the products. Exact, like the tiles. Include
// tile.inl.h and nibbles.inl.h first.

namespace lathe::kernels {
namespace {

constexpr size_t kFewRows = 4;
constexpr size_t kMostVectors = kPanelOutputs / kOutputUnit;
// The processor's own prefetching does not keep up with streams that are consumed at an uneven pace.
constexpr size_t kPrefetchAhead = 2048;

inline void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p) + kPrefetchAhead, _MM_HINT_T0); }

/// Where a panel's masks and values stand.
struct MaskedPanel {
  const uint64_t* masks;
  const uint8_t* values;
};
inline MaskedPanel masked_panel(const PackedInteger& weight, const Parts& parts, const Panel& panel, size_t index) {
  const auto* bytes = static_cast<const uint8_t*>(weight.data);
  return {reinterpret_cast<const uint64_t*>(bytes + parts.masks) + panel.block,
          bytes + parts.values + static_cast<const uint64_t*>(weight.data)[index]};
}

/// Stores ROWS rows of one register of outputs.
template <size_t ROWS, size_t V>
inline void finish_few(const IntegerLinearArgs& args, size_t row, const Panel& panel, const __m512i (&sums)[V][ROWS]) {
  const size_t left = args.weight->outputs - panel.first;
  for (size_t v = 0; v < V; ++v) dequantize<ROWS>(args, row, panel.first + v * 16, left - v * 16, sums[v]);
  finish_tile(args.epilogue, args.y + row * args.y_stride + panel.first, args.y_stride, ROWS,
              left < V * 16 ? left : V * 16);
}

/// Quants and multipliers kept apart: the products of a group are summed before they are multiplied.
struct GroupedPanel {
  const uint8_t* multipliers;  // of the panel's first output
  size_t stride;               // to those of the next group
  size_t quads_a_group;
};
inline GroupedPanel grouped_panel(const PackedInteger& weight, const Layout& layout, const Parts& parts,
                                  const Panel& panel) {
  const auto* bytes = static_cast<const uint8_t*>(weight.data);
  return {bytes + parts.multipliers + panel.first, layout.padded, weight.group / kInputGroup};
}

/// sums += multipliers * products for the vector's outputs.
template <size_t ROWS>
[[gnu::always_inline]] inline void add_group(const uint8_t* multipliers, const __m512i (&products)[ROWS],
                                             const int32_t* corrections, __m512i (&sums)[ROWS]) {
  const __m512i wide = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(multipliers)));
  for (size_t r = 0; r < ROWS; ++r) {
    __m512i product = products[r];
    if (corrections != nullptr) product = _mm512_sub_epi32(product, _mm512_set1_epi32(corrections[r]));
    sums[r] = _mm512_add_epi32(sums[r], _mm512_mullo_epi32(product, wide));
  }
}

/// The nibbles stay unsigned, q + 8, so that they need no table; `corrections`, [group][ROWS], are 8 times the sum of
/// the group's activations.
template <size_t ROWS, size_t V>
[[gnu::noinline]] void few_int4(const IntegerLinearArgs& args, size_t row, const Panel& panel,
                                const GroupedPanel& grouped, const uint8_t* values, const int32_t* corrections) {
  const __m256i low = _mm256_set1_epi8(15);
  const __m256i eight = _mm256_set1_epi8(static_cast<char>(0x88));
  const uint8_t* x = args.x + row * args.x_stride;
  const size_t stride = args.x_stride;
  const size_t quads = panel.blocks / V;
  const uint8_t* multipliers = grouped.multipliers;
  __m512i sums[V][ROWS] = {};
  for (size_t first = 0; first < quads; first += grouped.quads_a_group) {
    const size_t end = quads - first < grouped.quads_a_group ? quads : first + grouped.quads_a_group;
    __m512i products[V][ROWS] = {};
    for (size_t k = first; k < end; ++k) {
      for (size_t v = 0; v < V; ++v, values += kBlock / 2) {
        const __m256i pairs = _mm256_xor_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(values)), eight);
        const __m256i high = _mm256_and_si256(_mm256_srli_epi16(pairs, 4), low);
        const __m512i w = _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_and_si256(pairs, low)), high, 1);
        for (size_t r = 0; r < ROWS; ++r) {
          products[v][r] = dot_accumulate(products[v][r], broadcast_quad(x + r * stride + k * 4), w);
        }
      }
      prefetch(values);
    }
    for (size_t v = 0; v < V; ++v) add_group<ROWS>(multipliers + v * 16, products[v], corrections, sums[v]);
    multipliers += grouped.stride;
    corrections += ROWS;
  }
  finish_few<ROWS, V>(args, row, panel, sums);
}

/// 8 times the sum of each group of each row, padding included.
template <size_t ROWS>
inline void sum_groups(const IntegerLinearArgs& args, size_t row, size_t quads, size_t quads_a_group, int32_t* out) {
  for (size_t first = 0; first < quads; first += quads_a_group) {
    const size_t end = quads - first < quads_a_group ? quads : first + quads_a_group;
    for (size_t r = 0; r < ROWS; ++r) {
      const uint8_t* x = args.x + (row + r) * args.x_stride;
      int32_t sum = 0;
      for (size_t i = first * 4; i < end * 4; ++i) sum += x[i];
      *out++ = 8 * sum;
    }
  }
}

template <size_t ROWS>
inline void few_rows_int4(const IntegerLinearArgs& args, size_t row) {
  const PackedInteger& weight = *args.weight;
  const Layout layout = layout_of(weight.outputs, weight.inputs, weight.group);
  const Parts parts = parts_of(layout, false);
  auto* corrections = static_cast<int32_t*>(args.scratch);
  sum_groups<ROWS>(args, row, layout.inputs / kInputGroup, weight.group / kInputGroup, corrections);
  for (size_t p = first_of(args.part, layout.panels); p < end_of(args.part, layout.panels); ++p) {
    const Panel panel = panel_at(layout, p);
    const uint8_t* values = static_cast<const uint8_t*>(weight.data) + parts.values + panel.block * (kBlock / 2);
    const GroupedPanel grouped = grouped_panel(weight, layout, parts, panel);
    constexpr decltype(&few_int4<ROWS, 1>) kByVectors[] = {few_int4<ROWS, 1>, few_int4<ROWS, 2>, few_int4<ROWS, 3>};
    kByVectors[panel.width / kOutputUnit - 1](args, row, panel, grouped, values, corrections);
  }
}

/// Calls few<ROWS>(args, row) for all rows, at most kFewRows at a time.
template <template <size_t> class Few, size_t ROWS = kFewRows>
inline void for_few_rows(const IntegerLinearArgs& args, size_t row = 0) {
  for (; row + ROWS <= args.rows; row += ROWS) Few<ROWS>::run(args, row);
  if constexpr (ROWS > 1) {
    if (row < args.rows) for_few_rows<Few, ROWS - 1>(args, row);
  }
}

template <size_t ROWS>
struct FewInt4 {
  static void run(const IntegerLinearArgs& args, size_t row) { few_rows_int4<ROWS>(args, row); }
};

}  // namespace
}  // namespace lathe::kernels
