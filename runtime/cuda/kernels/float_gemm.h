#pragma once
// Products of floats on the tensor cores, which take numbers of 11 significant bits (tf32): each number is the sum of
// two of them, so that the products keep 21 bits.

#include "runtime/cuda/kernels/gemm.h"

namespace lathe::cuda {

/// A tile of sums of products of two matrices, slice after slice of the dimension that is summed over. `split_right`:
/// the numbers of the right matrix need two parts too; f16 and bf16 fit one.
template <bool split_right>
struct FloatTile {
  using Shape = Tile<64, 64, 2, 2>;
  using Sums = float[Shape::kDown][Shape::kAcross][4];
  static constexpr unsigned kDepth = 16;   // of a slice
  static constexpr unsigned kStride = 20;  // of a row of the slice in shared memory
  static constexpr unsigned kSharedBytes = (Shape::kRows + Shape::kOutputs) * kStride * 4;

  /// Calls load(first, left, right) for each slice of `depth`, which fills left [kRows, kDepth] and right [kOutputs,
  /// kDepth], rows kStride apart.
  template <class Thread, class Load>
  LATHE_DEVICE static void add_products(const Thread& t, const TilePlace<Shape, Thread>& place, uint32_t depth,
                                        const Load& load, Sums& sums) {
    float* left = t.template shared<float>();
    float* right = left + Shape::kRows * kStride;
    for (uint32_t first = 0; first < depth; first += kDepth) {
      load(first, left, right);
      t.sync();
      for (unsigned k = 0; k < kDepth; k += 8) multiply(t, place, left + k, right + k, sums);
      t.sync();
    }
  }

 private:
  struct Split {
    uint32_t high, low;
  };
  LATHE_DEVICE static Split split(float value) {
    const uint32_t high = as_bits(value) & 0xffffe000u;
    return {high, as_bits(value - as_float(high)) & 0xffffe000u};
  }

  template <class Thread>
  LATHE_DEVICE static void multiply(const Thread& t, const TilePlace<Shape, Thread>& place, const float* left,
                                    const float* right, Sums& sums) {
    unrolled<Shape::kDown>([&](unsigned i) {
      uint32_t high[4], low[4];
      unrolled<4>([&](unsigned n) {
        const Split part = split(left[(place.row(i, 0) + n % 2 * 8) * kStride + place.in_group + n / 2 * 4]);
        high[n] = part.high;
        low[n] = part.low;
      });
      unrolled<Shape::kAcross>([&](unsigned j) {
        const float* column = right + (place.warp_output + 8 * j + place.group) * kStride + place.in_group;
        const Split parts[2] = {split(column[0]), split(column[4])};
        const uint32_t right_high[2] = {parts[0].high, parts[1].high};
        t.mma_tf32(sums[i][j], high, right_high);
        t.mma_tf32(sums[i][j], low, right_high);
        if constexpr (split_right) {
          const uint32_t right_low[2] = {parts[0].low, parts[1].low};
          t.mma_tf32(sums[i][j], high, right_low);
        }
      });
    });
  }
};

/// Linear layers of f32 inputs and of float weights, many rows.
template <Format format>
struct FloatGemm {
  using Args = FloatLinearArgs;
  using Product = FloatTile<format == Format::f32>;
  using TileShape = typename Product::Shape;
  static constexpr unsigned kThreads = TileShape::kThreads;
  static constexpr unsigned kSharedBytes = Product::kSharedBytes;

  template <class Thread>
  LATHE_DEVICE static void run(const Thread& t, const Args& a) {
    typename Product::Sums sums = {};
    const TilePlace<TileShape, Thread> place(t);
    Product::add_products(
        t, place, a.weight.inputs, [&](uint32_t first, float* x, float* w) { load_slice(t, a, first, x, w); }, sums);
    for_each_number<TileShape>([&](unsigned i, unsigned j, unsigned n) {
      const uint32_t row = t.block_y() * TileShape::kRows + place.row(i, n);
      const uint32_t output = t.block_x() * TileShape::kOutputs + place.output(j, n);
      if (row >= a.rows || output >= a.weight.outputs) return;
      store_output(a, row, output, sums[i][j][n]);
    });
  }

 private:
  template <class Thread>
  LATHE_DEVICE static void load_slice(const Thread& t, const Args& a, uint32_t first, float* x, float* w) {
    constexpr unsigned kDepth = Product::kDepth;
    constexpr unsigned kStride = Product::kStride;
    for (unsigned i = t.thread(); i < TileShape::kRows * kDepth; i += t.threads()) {
      const uint32_t row = t.block_y() * TileShape::kRows + i / kDepth;
      const uint32_t column = first + i % kDepth;
      const bool inside = row < a.rows && column < a.weight.inputs;
      x[i / kDepth * kStride + i % kDepth] = inside ? a.x[static_cast<uint64_t>(row) * a.weight.inputs + column] : 0.0f;
    }
    for (unsigned i = t.thread(); i < TileShape::kOutputs * kDepth; i += t.threads()) {
      const uint32_t output = t.block_x() * TileShape::kOutputs + i / kDepth;
      const uint32_t column = first + i % kDepth;
      const bool inside = output < a.weight.outputs && column < a.weight.inputs;
      w[i / kDepth * kStride + i % kDepth] = inside ? float_at<format>(row_of(a.weight, output), column) : 0.0f;
    }
  }
};

/// Adds y^T x to sums of double. With y == x only pairs of columns in order are computed, and both halves are written,
/// so that the sum stays symmetric to the bit.
struct AddMoments {
  using Args = MomentArgs;
  using Product = FloatTile<true>;
  using TileShape = Product::Shape;
  static constexpr unsigned kThreads = TileShape::kThreads;
  static constexpr unsigned kSharedBytes = Product::kSharedBytes;

  template <class Thread>
  LATHE_DEVICE static void run(const Thread& t, const Args& a) {
    const uint32_t first_y = t.block_y() * TileShape::kRows;
    const uint32_t first_x = t.block_x() * TileShape::kOutputs;
    const bool symmetric = a.y == a.x;
    if (symmetric && first_x + TileShape::kOutputs <= first_y) return;
    Product::Sums sums = {};
    const TilePlace<TileShape, Thread> place(t);
    Product::add_products(
        t, place, a.rows,
        [&](uint32_t first, float* left, float* right) {
          load_columns(t, a, a.y, first, first_y, TileShape::kRows, left);
          load_columns(t, a, a.x, first, first_x, TileShape::kOutputs, right);
        },
        sums);
    for_each_number<TileShape>([&](unsigned i, unsigned j, unsigned n) {
      const uint32_t of_y = first_y + place.row(i, n);
      const uint32_t of_x = first_x + place.output(j, n);
      if (of_y >= a.width || of_x >= a.width || (symmetric && of_x < of_y)) return;
      a.sum[static_cast<uint64_t>(of_y) * a.width + of_x] += static_cast<double>(sums[i][j][n]);
      if (!symmetric || of_x == of_y) return;
      a.sum[static_cast<uint64_t>(of_x) * a.width + of_y] += static_cast<double>(sums[i][j][n]);
    });
  }

 private:
  // Columns [from, from + count) of rows [first, first + kDepth), each column as a row of the slice.
  template <class Thread>
  LATHE_DEVICE static void load_columns(const Thread& t, const Args& a, const float* rows, uint32_t first,
                                        uint32_t from, unsigned count, float* slice) {
    for (unsigned i = t.thread(); i < count * Product::kDepth; i += t.threads()) {
      const uint32_t column = from + i % count;
      const uint32_t row = first + i / count;
      const bool inside = column < a.width && row < a.rows;
      slice[i % count * Product::kStride + i / count] =
          inside ? rows[static_cast<uint64_t>(row) * a.width + column] : 0.0f;
    }
  }
};

}  // namespace lathe::cuda
