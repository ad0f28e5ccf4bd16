#pragma once
// What is made of the integers of a weight: dense rows for the tensor cores, and the sums of rows.

#include "runtime/cuda/kernels/numeric.h"

namespace lathe::cuda {

/// Whether the values of a format take four bits.
LATHE_DEVICE bool has_four_bits(const WeightView& weight) {
  return weight.format == Format::int4 || weight.format == Format::int4_bitmask;
}

/// One row of int8 for each output, from any format of integers. A warp expands a row.
struct Expand {
  using Args = ExpandArgs;
  static constexpr unsigned kThreads = kWholeBlock;

  template <class Thread>
  LATHE_DEVICE static void run(const Thread& t, const Args& a) {
    const uint32_t output = t.block_x() * (kThreads / kWarp) + t.warp();
    if (output >= a.weight.outputs) return;
    auto* out = reinterpret_cast<signed char*>(a.out) + static_cast<uint64_t>(output) * a.row_bytes;
    const bool four_bits = has_four_bits(a.weight);
    if (a.weight.mask == nullptr) {
      const unsigned char* row = row_of(a.weight, output);
      for (uint32_t column = t.lane(); column < a.row_bytes; column += kWarp) {
        out[column] = column >= a.weight.inputs ? static_cast<signed char>(0)
                                                : static_cast<signed char>(packed_integer(row, four_bits, column) *
                                                                           multiplier(a.weight, output, column));
      }
      return;
    }
    for (uint32_t column = t.lane(); column < a.row_bytes; column += kWarp) out[column] = 0;
    t.sync_warp();
    for_each_kept(t, a.weight, output, four_bits,
                  [&](uint32_t column, int integer) { out[column] = static_cast<signed char>(integer); });
  }
};

/// A warp adds up a row.
struct RowSums {
  using Args = RowSumsArgs;
  static constexpr unsigned kThreads = kWholeBlock;

  template <class Thread>
  LATHE_DEVICE static void run(const Thread& t, const Args& a) {
    const uint32_t row = t.block_x() * (kThreads / kWarp) + t.warp();
    if (row >= a.weight.outputs) return;
    const bool four_bits = has_four_bits(a.weight);
    int sum = 0;
    if (a.weight.mask != nullptr) {
      for_each_kept(t, a.weight, row, four_bits, [&](uint32_t, int integer) { sum += integer; });
    } else {
      const unsigned char* values = row_of(a.weight, row);
      for (uint32_t column = t.lane(); column < a.weight.inputs; column += kWarp) {
        sum += packed_integer(values, four_bits, column) * multiplier(a.weight, row, column);
      }
    }
    sum = warp_sum(t, sum);
    if (t.lane() == 0) a.sums[row] = sum;
  }
};

}  // namespace lathe::cuda
