#pragma once
// From rows of numbers to the blocks of GGUF types, by the formulas that the format's own tools use.

#include <span>
#include <string>

#include "formats/gguf/gguf.h"

namespace lathe {

inline constexpr uint64_t kGgufBlock = 32;  // numbers that share a scale in Q8_0 and Q4_0, and a multiplier in a grid

/// A row of a tensor. Where it lies on a grid, that is given too: values[i] = scale * multipliers[i / 32] *
/// integers[i]. A type that can hold the grid keeps it, and so everything that was done to find it; otherwise the
/// numbers are rounded anew.
struct GgufRow {
  std::span<const float> values;
  std::span<const int8_t> integers = {};      // empty: no grid
  std::span<const uint8_t> multipliers = {};  // of each 32
  float scale = 0;
};

/// Types that can be written: F32, F16, Q8_0, Q4_0, Q4_K, Q6_K.
bool is_gguf_writable(GgufType type);
/// Bytes of a row of that many numbers, which must be a multiple of the type's block.
uint64_t gguf_row_bytes(GgufType type, uint64_t values);
/// Writes gguf_row_bytes. `what` stands in messages: "OUT.gguf: tensor output.weight, row 5". Throws Error{malformed}
/// for a number that is not finite, Error{limit} for one, or a scale, beyond the largest half.
void encode_gguf_row(GgufType type, const GgufRow& row, const std::string& what, std::byte* out);

}  // namespace lathe
