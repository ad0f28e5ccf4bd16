#pragma once
// How packed integer weights are laid out, with the portable code that packs and expands them.
//
// The outputs are cut into panels of kPanelOutputs (the last one may be narrower, a multiple of kOutputUnit). A panel
// holds its integers in the order [inputs / kInputGroup][outputs of the panel][kInputGroup] and is padded with zeros,
// so that it is a sequence of whole blocks of 64 integers. int8_dense stores that sequence; the other formats store
// every block smaller and expand a panel to the sequence once for all rows of a call:
//   int8_bitmask  one u64 mask a block, then the kept integers; a table tells where those of each panel start
//   int4_dense    32 bytes a block: integer j in the low half of byte j, integer j + 32 in the high half
//   int4_bitmask  one u64 mask a block, then the kept nibbles, two a byte, each block from a new byte on
// The int4 formats end with the group multipliers, [group][outputs].
// Include kernel.h first and define kPanelOutputs, kOutputUnit, kInputGroup and kPaddedInputs (a multiple of it).

#include "runtime/cpu/kernels/common/part.inl.h"

namespace lathe::kernels {
namespace {

constexpr size_t kBlock = 64;

inline size_t round_up(size_t n, size_t multiple) { return (n + multiple - 1) / multiple * multiple; }

/// The layout of a packed weight, which follows from its shape.
struct Layout {
  size_t outputs;
  size_t inputs;  // padded
  size_t padded;  // outputs
  size_t panels;
  size_t blocks;  // of all panels
  size_t groups;  // 0 for int8
};

inline Layout layout_of(size_t outputs, size_t inputs, size_t group) {
  Layout out{};
  out.outputs = outputs;
  out.inputs = round_up(inputs, kPaddedInputs);
  out.padded = round_up(outputs, kOutputUnit);
  out.panels = (out.padded + kPanelOutputs - 1) / kPanelOutputs;
  out.blocks = out.padded * out.inputs / kBlock;
  out.groups = group == 0 ? 0 : (inputs + group - 1) / group;
  return out;
}

struct Panel {
  size_t first;  // output
  size_t width;  // outputs, padded
  size_t block;  // the first of its blocks
  size_t blocks;
};

inline Panel panel_at(const Layout& layout, size_t index) {
  Panel out{};
  out.first = index * kPanelOutputs;
  out.width = layout.padded - out.first < kPanelOutputs ? layout.padded - out.first : kPanelOutputs;
  out.block = out.first * layout.inputs / kBlock;
  out.blocks = out.width * layout.inputs / kBlock;
  return out;
}

/// The 64 integers of a block of a panel; `quants` asks for the int4 quants instead of the integers.
inline void gather_block(const IntegerWeight& weight, const Panel& panel, size_t block, bool quants, int8_t* out) {
  const size_t groups = weight.group == 0 ? 0 : (weight.inputs + weight.group - 1) / weight.group;
  const size_t start = block * kBlock / kInputGroup;
  size_t input = start / panel.width * kInputGroup;
  size_t output = panel.first + start % panel.width;
  for (size_t i = 0; i < kBlock; ++i) {
    const size_t at = input + i % kInputGroup;
    const bool inside = output < weight.outputs && at < weight.inputs;
    out[i] = inside ? weight.integers[output * weight.inputs + at] : int8_t{0};
    if (quants && out[i] != 0) {
      const int multiplier = weight.group_scales[output * groups + at / weight.group];
      out[i] = static_cast<int8_t>(multiplier == 0 ? 0 : out[i] / multiplier);
    }
    if (i % kInputGroup != kInputGroup - 1) continue;
    if (++output == panel.first + panel.width) {
      output = panel.first;
      input += kInputGroup;
    }
  }
}

template <class Use>
inline void for_each_block(const IntegerWeight& weight, bool quants, Use use) {
  const Layout layout = layout_of(weight.outputs, weight.inputs, 0);
  int8_t integers[kBlock];
  for (size_t p = 0; p < layout.panels; ++p) {
    const Panel panel = panel_at(layout, p);
    for (size_t b = 0; b < panel.blocks; ++b) {
      gather_block(weight, panel, b, quants, integers);
      use(p, panel.block + b, integers);
    }
  }
}

inline uint64_t mask_of(const int8_t* integers) {
  uint64_t mask = 0;
  for (size_t i = 0; i < kBlock; ++i) mask |= static_cast<uint64_t>(integers[i] != 0) << i;
  return mask;
}

inline size_t count_bits(uint64_t mask) { return static_cast<size_t>(__builtin_popcountll(mask)); }

// ---- int8_dense ----

inline size_t dense_bytes(const IntegerWeight& weight) {
  return layout_of(weight.outputs, weight.inputs, 0).blocks * kBlock;
}

inline void pack_dense(const IntegerWeight& weight, void* packed) {
  auto* out = static_cast<int8_t*>(packed);
  for_each_block(weight, false, [&](size_t, size_t block, const int8_t* integers) {
    __builtin_memcpy(out + block * kBlock, integers, kBlock);
  });
}

// ---- the parts of the other formats ----

/// Where the parts of a packed weight begin, in bytes.
struct Parts {
  size_t masks;        // u64 a block; int4_dense has none
  size_t multipliers;  // [group][padded outputs], u8
  size_t values;
};

/// A masked weight begins with a table of u64 that says where the values of each panel start.
inline Parts parts_of(const Layout& layout, bool masked) {
  Parts out{};
  out.masks = masked ? round_up(layout.panels * sizeof(uint64_t), kBlock) : 0;
  out.multipliers = out.masks + (masked ? round_up(layout.blocks * sizeof(uint64_t), kBlock) : 0);
  out.values = out.multipliers + round_up(layout.groups * layout.padded, kBlock);
  return out;
}

inline void pack_multipliers(const IntegerWeight& weight, const Layout& layout, uint8_t* out) {
  __builtin_memset(out, 0, round_up(layout.groups * layout.padded, kBlock));
  for (size_t g = 0; g < layout.groups; ++g) {
    for (size_t o = 0; o < layout.outputs; ++o) {
      out[g * layout.padded + o] = weight.group_scales[o * layout.groups + g];
    }
  }
}

/// Bytes that the kept values of a block take.
template <bool NIBBLES>
inline size_t kept_bytes(uint64_t mask) {
  return NIBBLES ? (count_bits(mask) + 1) / 2 : count_bits(mask);
}

template <bool NIBBLES>
inline size_t bitmask_bytes(const IntegerWeight& weight) {
  size_t kept = 0;
  for_each_block(weight, NIBBLES,
                 [&](size_t, size_t, const int8_t* integers) { kept += kept_bytes<NIBBLES>(mask_of(integers)); });
  const Layout layout = layout_of(weight.outputs, weight.inputs, NIBBLES ? weight.group : 0);
  return parts_of(layout, true).values + round_up(kept, kBlock) + kBlock;  // a vector load may run past the end
}

template <bool NIBBLES>
inline void pack_bitmask(const IntegerWeight& weight, void* packed) {
  const Layout layout = layout_of(weight.outputs, weight.inputs, NIBBLES ? weight.group : 0);
  const Parts parts = parts_of(layout, true);
  auto* bytes = static_cast<uint8_t*>(packed);
  __builtin_memset(bytes, 0, parts.multipliers);
  if constexpr (NIBBLES) pack_multipliers(weight, layout, bytes + parts.multipliers);
  auto* starts = static_cast<uint64_t*>(packed);
  auto* masks = reinterpret_cast<uint64_t*>(bytes + parts.masks);
  uint8_t* values = bytes + parts.values;
  size_t at = 0;
  size_t panel_seen = layout.panels;
  for_each_block(weight, NIBBLES, [&](size_t panel, size_t block, const int8_t* integers) {
    if (panel != panel_seen) starts[panel] = at;
    panel_seen = panel;
    masks[block] = mask_of(integers);
    const size_t size = kept_bytes<NIBBLES>(masks[block]);
    __builtin_memset(values + at, 0, size);
    size_t kept = 0;
    for (size_t i = 0; i < kBlock; ++i) {
      if (integers[i] == 0) continue;
      const auto value = static_cast<uint8_t>(integers[i]);
      if constexpr (NIBBLES) {
        values[at + kept / 2] = static_cast<uint8_t>(values[at + kept / 2] | ((value & 15U) << (kept % 2 * 4)));
      } else {
        values[at + kept] = value;
      }
      ++kept;
    }
    at += size;
  });
  __builtin_memset(values + at, 0, round_up(at, kBlock) + kBlock - at);
}

inline int8_t nibble_value(unsigned bits) { return static_cast<int8_t>(static_cast<int>((bits & 15U) ^ 8U) - 8); }

/// Multiplies the quants of a panel, in place, by their group's multipliers.
inline void multiply_groups(const Layout& layout, const Panel& panel, const PackedInteger& weight,
                            const uint8_t* multipliers, int8_t* integers) {
  multipliers += panel.first;
  for (size_t first = 0; first < weight.inputs; first += weight.group, multipliers += layout.padded) {
    const size_t end = weight.inputs - first < weight.group ? weight.inputs : first + weight.group;
    for (size_t input = first; input < end; ++input) {
      int8_t* at = integers + input / kInputGroup * kInputGroup * panel.width + input % kInputGroup;
      for (size_t o = 0; o < panel.width; ++o) {
        at[o * kInputGroup] = static_cast<int8_t>(at[o * kInputGroup] * multipliers[o]);
      }
    }
  }
}

template <bool NIBBLES>
inline void expand_bitmask(const PackedInteger& weight, size_t index, int8_t* out) {
  const Layout layout = layout_of(weight.outputs, weight.inputs, NIBBLES ? weight.group : 0);
  const Parts parts = parts_of(layout, true);
  const Panel panel = panel_at(layout, index);
  const auto* bytes = static_cast<const uint8_t*>(weight.data);
  const uint64_t* masks = reinterpret_cast<const uint64_t*>(bytes + parts.masks) + panel.block;
  const uint8_t* values = bytes + parts.values + static_cast<const uint64_t*>(weight.data)[index];
  __builtin_memset(out, 0, panel.blocks * kBlock);
  for (size_t b = 0; b < panel.blocks; ++b) {
    size_t kept = 0;
    for (uint64_t left = masks[b]; left != 0; left &= left - 1, ++kept) {
      const size_t i = static_cast<size_t>(__builtin_ctzll(left));
      out[b * kBlock + i] = NIBBLES ? nibble_value(static_cast<unsigned>(values[kept / 2]) >> (kept % 2 * 4))
                                    : static_cast<int8_t>(values[kept]);
    }
    values += kept_bytes<NIBBLES>(masks[b]);
  }
  if constexpr (NIBBLES) multiply_groups(layout, panel, weight, bytes + parts.multipliers, out);
}

// ---- int4_dense ----

inline size_t int4_bytes(const IntegerWeight& weight) {
  const Layout layout = layout_of(weight.outputs, weight.inputs, weight.group);
  return parts_of(layout, false).values + round_up(layout.blocks * (kBlock / 2), kBlock);
}

inline void pack_int4(const IntegerWeight& weight, void* packed) {
  const Layout layout = layout_of(weight.outputs, weight.inputs, weight.group);
  const Parts parts = parts_of(layout, false);
  auto* bytes = static_cast<uint8_t*>(packed);
  pack_multipliers(weight, layout, bytes + parts.multipliers);
  uint8_t* values = bytes + parts.values;
  __builtin_memset(values, 0, round_up(layout.blocks * (kBlock / 2), kBlock));
  for_each_block(weight, true, [&](size_t, size_t block, const int8_t* quants) {
    for (size_t i = 0; i < kBlock / 2; ++i) {
      const auto low = static_cast<unsigned>(quants[i]) & 15U;
      const auto high = static_cast<unsigned>(quants[i + kBlock / 2]) & 15U;
      values[block * (kBlock / 2) + i] = static_cast<uint8_t>(low | high << 4U);
    }
  });
}

inline void expand_int4(const PackedInteger& weight, size_t index, int8_t* out) {
  const Layout layout = layout_of(weight.outputs, weight.inputs, weight.group);
  const Parts parts = parts_of(layout, false);
  const Panel panel = panel_at(layout, index);
  const auto* bytes = static_cast<const uint8_t*>(weight.data);
  const uint8_t* values = bytes + parts.values + panel.block * (kBlock / 2);
  for (size_t b = 0; b < panel.blocks; ++b) {
    for (size_t i = 0; i < kBlock / 2; ++i) {
      const unsigned pair = values[b * (kBlock / 2) + i];
      out[b * kBlock + i] = nibble_value(pair);
      out[b * kBlock + kBlock / 2 + i] = nibble_value(pair >> 4U);
    }
  }
  multiply_groups(layout, panel, weight, bytes + parts.multipliers, out);
}

}  // namespace
}  // namespace lathe::kernels
