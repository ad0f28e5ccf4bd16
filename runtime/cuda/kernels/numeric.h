#pragma once
// Functions of one number, and the weights of a row one by one.

#include <cmath>

#include "runtime/cuda/kernels/arguments.h"
#include "runtime/cuda/kernels/device_code.h"

namespace lathe::cuda {

// The functions below do the operations of the CPU's kernels (runtime/cpu/kernels/common) in their order, so that both
// give the same bits: an activation of 8 bits that rounds the other way would change everything after it.

LATHE_DEVICE float larger(float a, float b) { return a > b ? a : b; }
LATHE_DEVICE float smaller(float a, float b) { return a < b ? a : b; }

/// Half to even; |a| < 2^22.
LATHE_DEVICE float round_nearest(float a) { return (a + 12582912.0f) - 12582912.0f; }

/// 2^x to 1.3e-7 relative; x is held in [-126, 126].
LATHE_DEVICE float exp2_of(float x) {
  const float held = smaller(126.0f, larger(-126.0f, x));
  const float whole = round_nearest(held);
  const float rest = held - whole;
  float sum = 0.00132764719f;
  sum = fmaf(sum, rest, 0.00967554133f);
  sum = fmaf(sum, rest, 0.0555071327f);
  sum = fmaf(sum, rest, 0.240221197f);
  sum = fmaf(sum, rest, 0.693146967f);
  sum = fmaf(sum, rest, 1.00000007f);
  return sum * as_float(static_cast<uint32_t>(static_cast<int>(whole) + 127) << 23);
}
LATHE_DEVICE float exp_of(float x) { return exp2_of(x * 1.44269504f); }

/// Sixteen short polynomials, whose coefficients are rows of the table.
LATHE_DEVICE float gelu(float x, const float* table) {
  constexpr float kStep = 0.35f;
  constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23: the sum's low bits are the nearest integer
  const float size = smaller(fabsf(x), 15.49f * kStep);
  const float shifted = fmaf(size, 1.0f / kStep, kMagic);
  const float d = fmaf(kMagic - shifted, kStep, size);
  const float* column = table + (as_bits(shifted) & 15);
  float sum = column[64];
  for (int p = 3; p >= 0; --p) sum = fmaf(sum, d, column[16 * p]);
  return larger(0.0f, x) + sum;
}

/// tanh through the exponential of a negative number.
LATHE_DEVICE float tanh_of(float x) {
  const float small = exp_of(fabsf(x) * -2.0f);
  return copysignf((1.0f - small) / (1.0f + small), x);
}

LATHE_DEVICE float apply(const Activation& activation, float x) {
  switch (activation.function) {
    case Function::none:
      return x;
    case Function::gelu:
      return gelu(x, activation.gelu_table);
    case Function::gelu_tanh:  // x * (1 + tanh(u)) / 2 = x * sigmoid(2 u), u = sqrt(2 / pi) * (x + 0.044715 x^3)
      return x / (1.0f + exp_of(0.0f - x * fmaf(x * x, 0.0713548163f, 1.59576912f)));
    case Function::relu:
      return larger(0.0f, x);
    case Function::silu:
      return x / (1.0f + exp_of(0.0f - x));
    case Function::tanh:
      return tanh_of(x);
  }
  return x;
}

/// What a layer stores for its product: the sum of the integer or float products, scaled.
template <class Args>
LATHE_DEVICE void store_output(const Args& a, uint64_t row, uint32_t output, float product) {
  const uint64_t at = row * a.weight.outputs + output;
  if (a.bias != nullptr) product += a.bias[output];
  const float value = apply(a.activation, product);
  a.y[at] = a.added == nullptr ? value : a.added[at] + value;
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

/// Calls visit(column, integer) for every integer of a row that a mask does not leave out, whatever the format. All
/// lanes of a warp take part.
template <class Thread, class Visit>
LATHE_DEVICE void for_each_integer(const Thread& t, const WeightView& weight, uint32_t row, const Visit& visit) {
  const bool four_bits = weight.format == Format::int4 || weight.format == Format::int4_bitmask;
  if (weight.mask != nullptr) return for_each_kept(t, weight, row, four_bits, visit);
  const unsigned char* values = row_of(weight, row);
  for (uint32_t column = t.lane(); column < weight.inputs; column += kWarp) {
    visit(column, packed_integer(values, four_bits, column) * multiplier(weight, row, column));
  }
}

}  // namespace lathe::cuda
