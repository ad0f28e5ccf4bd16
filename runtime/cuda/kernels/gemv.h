#pragma once
// Linear layers of few rows: a warp computes one output, so that every weight is read once, 16 bytes a lane, and is
// expanded in registers.

#include "runtime/cuda/kernels/numeric.h"

namespace lathe::cuda {

/// The outputs that a block computes: one a warp.
inline constexpr unsigned kGemvOutputs = kWholeBlock / kWarp;

LATHE_DEVICE unsigned gemv_output(unsigned block, unsigned warp) { return block * kGemvOutputs + warp; }

/// y = function(scale of x * scale of w * (sum - zero of x * column sum) + bias), in this order of roundings, which is
/// that of the CPU's kernels. Lane r holds the sum of row r of x.
template <class Thread>
LATHE_DEVICE void finish_integer(const Thread& t, const IntegerLinearArgs& a, uint32_t output, int sum) {
  const uint32_t row = t.lane() < a.rows ? t.lane() : 0;
  const auto whole = static_cast<float>(sum - a.x.zeros[row] * a.weight.column_sums[output]);
  float product = whole * (a.x.scales[row] * a.weight.row_scales[output]);
  const float lower = t.shuffle_xor(product, 1u);
  if (a.wide != 0) product += lower;
  if (t.lane() >= a.rows || (a.wide != 0 && t.lane() % 2 != 0)) return;
  store_output(a, a.wide != 0 ? row / 2 : row, output, product);
}

/// Calls visit(16 bytes, column) for the pieces of a row of `numbers` numbers that belong to the lane. Several loads
/// are on their way before the first piece is used.
template <uint32_t numbers, class Thread, class Visit>
LATHE_DEVICE void for_each_piece(const Thread& t, const unsigned char* row, uint32_t inputs, Visit visit) {
  constexpr uint32_t kAtOnce = 4;
  for (uint32_t first = t.lane(); first * numbers < inputs; first += kWarp * kAtOnce) {
    Bytes16 pieces[kAtOnce];
    unrolled<kAtOnce>([&](unsigned i) {
      const uint32_t piece = first + i * kWarp;
      if (piece * numbers < inputs) pieces[i] = load16(row + static_cast<uint64_t>(piece) * 16);
    });
    unrolled<kAtOnce>([&](unsigned i) {
      const uint32_t piece = first + i * kWarp;
      if (piece * numbers < inputs) visit(pieces[i], piece * numbers);
    });
  }
}

/// Calls visit(r) for the rows of x that there are, each with its number as a constant.
template <int rows, class Visit>
LATHE_DEVICE void for_each_row(uint32_t count, const Visit& visit) {
  unrolled<rows>([&](unsigned r) {
    if (r < count) visit(r);
  });
}

/// The dot product of 16 bytes of a row of int8 with each row of x.
template <int rows, class Thread>
LATHE_DEVICE void multiply_int8(const Thread& t, const IntegerLinearArgs& a, const Bytes16& w, uint32_t column,
                                int (&sums)[rows]) {
  for_each_row<rows>(a.rows, [&](unsigned r) {
    const Bytes16 x = load16(a.x.values + static_cast<uint64_t>(r) * a.x.stride + column);
    unrolled<4>([&](unsigned i) { sums[r] = t.dot4(x.words[i], w.words[i], sums[r]); });
  });
}

/// The dot product of 32 values of int4 with each row of x. A nibble in the upper half of a byte is 16 times its value
/// as a signed byte.
template <int rows, class Thread>
LATHE_DEVICE void multiply_int4(const Thread& t, const IntegerLinearArgs& a, const Bytes16& w, uint32_t column,
                                int multiplier, int (&sums)[rows]) {
  for_each_row<rows>(a.rows, [&](unsigned r) {
    const unsigned char* row = a.x.values + static_cast<uint64_t>(r) * a.x.stride + column;
    const Bytes16 x[2] = {load16(row), load16(row + 16)};
    int sum = 0;
    unrolled<4>([&](unsigned i) {
      const uint32_t first = x[i / 2].words[i % 2 * 2];
      const uint32_t second = x[i / 2].words[i % 2 * 2 + 1];
      sum = t.dot4(t.pick_bytes(first, second, 0x6420), w.words[i] << 4 & 0xf0f0f0f0u, sum);
      sum = t.dot4(t.pick_bytes(first, second, 0x7531), w.words[i] & 0xf0f0f0f0u, sum);
    });
    sums[r] += (sum >> 4) * multiplier;
  });
}

/// Sums over the warp; lane r gets that of row r.
template <int rows, class Thread, class Number>
LATHE_DEVICE Number sum_of_lane(const Thread& t, const Number (&sums)[rows]) {
  Number own = 0;
  unrolled<rows>([&](unsigned r) {
    const Number sum = warp_sum(t, sums[r]);
    if (t.lane() == r) own = sum;
  });
  return own;
}

/// 1 to `rows` rows of x; wide ones count twice.
template <Format format, int rows>
struct IntegerGemv {
  using Args = IntegerGemvArgs;
  static constexpr unsigned kThreads = kWholeBlock;

  template <class Thread>
  LATHE_DEVICE static void run(const Thread& t, const Args& all) {
    unsigned layer = 0;
    while (t.block_x() >= all.ends[layer]) ++layer;
    const IntegerLinearArgs& a = all.layers[layer];
    const uint32_t output = gemv_output(t.block_x() - (layer == 0 ? 0 : all.ends[layer - 1]), t.warp());
    if (output >= a.weight.outputs) return;
    int sums[rows] = {};
    add_products(t, a, output, sums);
    finish_integer(t, a, output, sum_of_lane(t, sums));
  }

 private:
  template <class Thread>
  LATHE_DEVICE static void add_products(const Thread& t, const IntegerLinearArgs& a, uint32_t output,
                                        int (&sums)[rows]) {
    const WeightView& weight = a.weight;
    if constexpr (format == Format::int8) {
      for_each_piece<16>(t, row_of(weight, output), weight.inputs,
                         [&](const Bytes16& w, uint32_t column) { multiply_int8(t, a, w, column, sums); });
    } else if constexpr (format == Format::int4) {
      for_each_piece<32>(t, row_of(weight, output), weight.inputs, [&](const Bytes16& w, uint32_t column) {
        multiply_int4(t, a, w, column, multiplier(weight, output, column), sums);
      });
    } else {
      for_each_kept(t, weight, output, format == Format::int4_bitmask, [&](uint32_t column, int integer) {
        for_each_row<rows>(a.rows, [&](unsigned r) {
          sums[r] += integer * a.x.values[static_cast<uint64_t>(r) * a.x.stride + column];
        });
      });
    }
  }
};

/// 1 to `rows` rows of f32.
template <Format format, int rows>
struct FloatGemv {
  using Args = FloatLinearArgs;
  static constexpr unsigned kThreads = kWholeBlock;
  static constexpr uint32_t kNumbers = format == Format::f32 ? 4 : 8;  // in 16 bytes

  template <class Thread>
  LATHE_DEVICE static void run(const Thread& t, const Args& a) {
    const WeightView& weight = a.weight;
    const uint32_t output = gemv_output(t.block_x(), t.warp());
    if (output >= weight.outputs) return;
    const unsigned char* row = row_of(weight, output);
    float sums[rows] = {};
    for_each_piece<kNumbers>(t, row, weight.inputs, [&](const Bytes16& w, uint32_t column) {
      const uint32_t count = weight.inputs - column < kNumbers ? weight.inputs - column : kNumbers;
      const auto* numbers = reinterpret_cast<const unsigned char*>(&w);
      for_each_row<rows>(a.rows, [&](unsigned r) {
        const float* x = a.x + static_cast<uint64_t>(r) * weight.inputs + column;
        unrolled<kNumbers>([&](unsigned i) {
          if (i < count) sums[r] = fmaf(x[i], float_at<format>(numbers, i), sums[r]);
        });
      });
    });
    float own = sum_of_lane(t, sums);
    if (t.lane() >= a.rows) return;
    store_output(a, t.lane(), output, own);
  }
};

}  // namespace lathe::cuda
