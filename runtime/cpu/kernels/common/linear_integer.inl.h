#pragma once
// The functions of an IntegerLinearKernel for each format, over two things an ISA's file defines:
//   void run_panel(const IntegerLinearArgs&, const Panel&, const int8_t* integers, void* scratch)
//     computes the panel's outputs of all rows from its expanded integers; `scratch` holds tile_scratch_bytes(inputs)
//     bytes
//   expand functions (weight, panel index, out), or the portable ones of panel.inl.h

namespace lathe::kernels {
namespace {

inline bool supports_int8(const IntegerWeight& weight) noexcept { return weight.group == 0; }
inline bool supports_int4(const IntegerWeight& weight) noexcept {
  return weight.group != 0 && (kGroupMultiple == 1 || weight.group % kGroupMultiple == 0);
}

inline size_t packed_bytes_int8(const IntegerWeight& weight) noexcept { return dense_bytes(weight); }
inline size_t packed_bytes_int8_bitmask(const IntegerWeight& weight) noexcept { return bitmask_bytes<false>(weight); }
inline size_t packed_bytes_int4(const IntegerWeight& weight) noexcept { return int4_bytes(weight); }
inline size_t packed_bytes_int4_bitmask(const IntegerWeight& weight) noexcept { return bitmask_bytes<true>(weight); }

inline void pack_int8(const IntegerWeight& weight, void* packed) noexcept { pack_dense(weight, packed); }
inline void pack_int8_bitmask(const IntegerWeight& weight, void* packed) noexcept {
  pack_bitmask<false>(weight, packed);
}
inline void pack_int4_dense(const IntegerWeight& weight, void* packed) noexcept { pack_int4(weight, packed); }
inline void pack_int4_bitmask(const IntegerWeight& weight, void* packed) noexcept {
  pack_bitmask<true>(weight, packed);
}

inline size_t scratch_dense(size_t, size_t inputs) noexcept {
  return tile_scratch_bytes(round_up(inputs, kPaddedInputs));
}
inline size_t scratch_expanded(size_t, size_t inputs) noexcept {
  const size_t padded = round_up(inputs, kPaddedInputs);
  return round_up(kPanelOutputs * padded, kBlock) + tile_scratch_bytes(padded);
}

inline size_t first_output(size_t outputs, size_t index, size_t count) noexcept {
  const size_t first = first_of({index, count}, layout_of(outputs, kPaddedInputs, 0).panels) * kPanelOutputs;
  return first < outputs ? first : outputs;
}

inline void run_int8(const IntegerLinearArgs& args) noexcept {
  const Layout layout = layout_of(args.weight->outputs, args.weight->inputs, 0);
  for (size_t p = first_of(args.part, layout.panels); p < end_of(args.part, layout.panels); ++p) {
    const Panel panel = panel_at(layout, p);
    run_panel(args, panel, static_cast<const int8_t*>(args.weight->data) + panel.block * kBlock, args.scratch);
  }
}

template <void (*expand)(const PackedInteger& weight, size_t panel, int8_t* out)>
inline void run_expanded(const IntegerLinearArgs& args) noexcept {
  const Layout layout = layout_of(args.weight->outputs, args.weight->inputs, 0);
  auto* integers = static_cast<int8_t*>(args.scratch);
  void* rest = integers + round_up(kPanelOutputs * layout.inputs, kBlock);
  for (size_t p = first_of(args.part, layout.panels); p < end_of(args.part, layout.panels); ++p) {
    expand(*args.weight, p, integers);
    run_panel(args, panel_at(layout, p), integers, rest);
  }
}

}  // namespace
}  // namespace lathe::kernels
