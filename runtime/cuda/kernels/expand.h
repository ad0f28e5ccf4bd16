#pragma once
// What is made of the integers of a weight: dense rows for the tensor cores, and the sums of rows.

#include "runtime/cuda/kernels/numeric.h"

namespace lathe::cuda {

/// One row of int8 for each output, from any format of integers. A warp expands a row.
struct Expand {
  using Args = ExpandArgs;
  static constexpr unsigned kThreads = kWholeBlock;

  template <class Thread>
  LATHE_DEVICE static void run(const Thread& t, const Args& a) {
    const uint32_t output = t.block_x() * (kThreads / kWarp) + t.warp();
    if (output >= a.weight.outputs) return;
    auto* out = reinterpret_cast<signed char*>(a.out) + static_cast<uint64_t>(output) * a.row_bytes;
    // What the walk below does not visit: columns that a mask leaves out, and the padding of the row.
    const uint32_t visited = a.weight.mask == nullptr ? a.weight.inputs : 0;
    for (uint32_t column = visited + t.lane(); column < a.row_bytes; column += kWarp) out[column] = 0;
    t.sync_warp();
    for_each_integer(t, a.weight, output,
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
    int sum = 0;
    for_each_integer(t, a.weight, row, [&](uint32_t, int integer) { sum += integer; });
    sum = warp_sum(t, sum);
    if (t.lane() == 0) a.sums[row] = sum;
  }
};

}  // namespace lathe::cuda
