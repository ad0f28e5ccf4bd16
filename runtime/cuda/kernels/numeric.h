#pragma once
// Functions of one number, and the weights of a row one by one.

#include <cmath>

#include "runtime/cuda/kernels/arguments.h"
#include "runtime/cuda/kernels/device_code.h"

namespace lathe::cuda {

LATHE_DEVICE float apply(Function function, float x) {
  switch (function) {
    case Function::none:
      return x;
    case Function::gelu:
      return 0.5f * x * (1.0f + erff(x * 0.707106781f));
    case Function::gelu_tanh:  // x * (1 + tanh(u)) / 2 = x * sigmoid(2 u), u = sqrt(2 / pi) * (x + 0.044715 x^3)
      return x / (1.0f + expf(-x * (1.59576912f + 0.0713548163f * x * x)));
    case Function::relu:
      return fmaxf(x, 0.0f);
    case Function::silu:
      return x / (1.0f + expf(-x));
    case Function::tanh:
      return tanhf(x);
  }
  return x;
}

/// Four bits as a signed number.
LATHE_DEVICE int signed_nibble(unsigned bits) { return static_cast<int>((bits & 15u) ^ 8u) - 8; }

/// The integer at `index` of the packed values of a row.
LATHE_DEVICE int packed_integer(const unsigned char* row, bool four_bits, uint32_t index) {
  if (!four_bits) return static_cast<int>(static_cast<signed char>(row[index]));
  return signed_nibble(static_cast<unsigned>(row[index / 2]) >> (index % 2 * 4));
}

LATHE_DEVICE int multiplier(const WeightView& weight, uint32_t row, uint32_t column) {
  if (weight.group == 0) return 1;
  return weight.multipliers[static_cast<uint64_t>(row) * weight.groups + column / weight.group];
}

/// A number of a row of floats.
template <Format format>
LATHE_DEVICE float float_at(const unsigned char* row, uint32_t column) {
  if constexpr (format == Format::f32) {
    return reinterpret_cast<const AnyFloat*>(row)[column];
  } else {
    const uint16_t bits = reinterpret_cast<const AnyHalf*>(row)[column];
    return format == Format::f16 ? from_f16(bits) : from_bf16(bits);
  }
}

LATHE_DEVICE const unsigned char* row_of(const WeightView& weight, uint32_t row) {
  return weight.values + (weight.row_starts == nullptr ? row * weight.row_bytes : weight.row_starts[row]);
}

/// Calls visit(column, integer) for every kept integer of a row with a bitmask. All lanes of a warp take part: each
/// looks at one word of 32 columns at a time.
template <class Thread, class Visit>
LATHE_DEVICE void for_each_kept(const Thread& t, const WeightView& weight, uint32_t row, bool four_bits, Visit visit) {
  const uint32_t words = (weight.inputs + 31) / 32;
  const uint32_t* mask = weight.mask + static_cast<uint64_t>(row) * words;
  const unsigned char* values = row_of(weight, row);
  uint32_t before = 0;  // kept in the words that all lanes have done
  for (uint32_t first = 0; first < words; first += kWarp) {
    const uint32_t at = first + t.lane();
    uint32_t word = at < words ? mask[at] : 0;
    const uint32_t own = t.count_bits(word);
    uint32_t through = own;  // kept in this word and those of lower lanes
    for (unsigned distance = 1; distance < kWarp; distance *= 2) {
      const uint32_t lower = t.shuffle_up(through, distance);
      if (t.lane() >= distance) through += lower;
    }
    uint32_t index = before + through - own;
    for (; word != 0; word &= word - 1, ++index) {
      const uint32_t column = at * 32 + t.first_bit(word);
      visit(column, packed_integer(values, four_bits, index) * multiplier(weight, row, column));
    }
    before += t.shuffle(through, kWarp - 1);
  }
}

}  // namespace lathe::cuda
