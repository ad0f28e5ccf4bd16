#pragma once
// Tiles of products on the tensor cores, and integer layers of many rows: a block computes a tile of outputs, its warps
// rectangles of the tile. Rows of x and of w pass through shared memory in slices; the next slice is on its way while
// one is multiplied.

#include "runtime/cuda/kernels/numeric.h"

namespace lathe::cuda {

/// A tile of `kRows` rows of x and `kOutputs` outputs, of which a warp computes 16 kDown rows and 8 kAcross outputs.
template <unsigned rows, unsigned outputs, unsigned down, unsigned across>
struct Tile {
  static constexpr unsigned kRows = rows;
  static constexpr unsigned kOutputs = outputs;
  static constexpr unsigned kDown = down;
  static constexpr unsigned kAcross = across;
  static constexpr unsigned kWarpRows = rows / (16 * down);  // warps side by side over the rows
  static constexpr unsigned kThreads = kWarpRows * (outputs / (8 * across)) * kWarp;
};
using LargeTile = Tile<128, 128, 4, 4>;
using SmallTile = Tile<32, 32, 1, 2>;

inline constexpr unsigned kSliceBytes = 64;   // of each row
inline constexpr unsigned kSliceStride = 80;  // in shared memory, so that the rows of a fragment lie in different banks
inline constexpr unsigned kSlices = 2;        // one is filled while another is read

template <class TileShape>
constexpr unsigned gemm_shared_bytes() {
  return kSlices * (TileShape::kRows + TileShape::kOutputs) * kSliceStride;
}

/// Rows of bytes in global memory.
struct RowBytes {
  const unsigned char* first;
  uint64_t stride;
  uint32_t rows;
  uint32_t bytes;  // of each row that may be read, a multiple of 16
};

/// Starts the copy of one slice of `count` rows from row `from` on; what is outside becomes zero.
template <class Thread>
LATHE_DEVICE void copy_slice(const Thread& t, const RowBytes& source, uint32_t from, unsigned count, uint32_t offset,
                             unsigned char* to) {
  constexpr unsigned kPieces = kSliceBytes / 16;
  for (unsigned i = t.thread(); i < count * kPieces; i += t.threads()) {
    const unsigned row = i / kPieces;
    const uint32_t at = offset + i % kPieces * 16;
    const bool valid = from + row < source.rows && at < source.bytes;
    t.copy16(to + row * kSliceStride + i % kPieces * 16, source.first + (valid ? (from + row) * source.stride + at : 0),
             valid);
  }
}

/// Calls multiply(slice of x, slice of w) for each slice of the inputs. `bytes` is the length of a row.
template <class TileShape, class Thread, class Multiply>
LATHE_DEVICE void for_each_slice(const Thread& t, const RowBytes& x, const RowBytes& w, uint32_t bytes,
                                 Multiply multiply) {
  unsigned char* memory = t.template shared<unsigned char>();
  constexpr unsigned kSize = (TileShape::kRows + TileShape::kOutputs) * kSliceStride;
  const auto copy = [&](uint32_t slice) {
    unsigned char* to = memory + slice % kSlices * kSize;
    copy_slice(t, x, t.block_y() * TileShape::kRows, TileShape::kRows, slice * kSliceBytes, to);
    copy_slice(t, w, t.block_x() * TileShape::kOutputs, TileShape::kOutputs, slice * kSliceBytes,
               to + TileShape::kRows * kSliceStride);
    t.commit_copies();
  };
  const uint32_t slices = (bytes + kSliceBytes - 1) / kSliceBytes;
  copy(0);
  for (uint32_t slice = 0; slice < slices; ++slice) {
    if (slice + 1 < slices) {
      copy(slice + 1);
      t.template wait_copies<1>();
    } else {
      t.template wait_copies<0>();
    }
    t.sync();
    const unsigned char* here = memory + slice % kSlices * kSize;
    multiply(here, here + TileShape::kRows * kSliceStride);
    t.sync();
  }
}

/// Where a warp and a lane stand in the tile, and which elements of a product they hold: of the fragment (i, j), number
/// n is at row 16 i + row + 8 (n / 2) and output 8 j + output + n % 2 of the block's tile.
template <class TileShape, class Thread>
struct TilePlace {
  unsigned warp_row, warp_output, group, in_group;

  LATHE_DEVICE explicit TilePlace(const Thread& t)
      : warp_row(t.warp() % TileShape::kWarpRows * 16 * TileShape::kDown),
        warp_output(t.warp() / TileShape::kWarpRows * 8 * TileShape::kAcross),
        group(t.lane() / 4),
        in_group(t.lane() % 4) {}
  LATHE_DEVICE unsigned row(unsigned i, unsigned n) const { return warp_row + 16 * i + group + 8 * (n / 2); }
  LATHE_DEVICE unsigned output(unsigned j, unsigned n) const { return warp_output + 8 * j + 2 * in_group + n % 2; }
};

/// Calls visit(i, j, n) for number n of the fragment (i, j) of a warp.
template <class TileShape, class Visit>
LATHE_DEVICE void for_each_number(const Visit& visit) {
  unrolled<TileShape::kDown>([&](unsigned i) {
    unrolled<TileShape::kAcross>([&](unsigned j) { unrolled<4>([&](unsigned n) { visit(i, j, n); }); });
  });
}

LATHE_DEVICE uint32_t word_at(const unsigned char* slice, unsigned row, unsigned byte) {
  return *reinterpret_cast<const AnyWord*>(slice + row * kSliceStride + byte);
}

/// Rows of u8 times rows of int8, which are dense: other formats are expanded first.
template <class TileShape>
struct IntegerGemm {
  using Args = IntegerLinearArgs;
  static constexpr unsigned kThreads = TileShape::kThreads;
  static constexpr unsigned kSharedBytes = gemm_shared_bytes<TileShape>();

  template <class Thread>
  LATHE_DEVICE static void run(const Thread& t, const Args& a) {
    int sums[TileShape::kDown][TileShape::kAcross][4] = {};
    const TilePlace<TileShape, Thread> place(t);
    const auto row_bytes = static_cast<uint32_t>(a.weight.row_bytes);
    for_each_slice<TileShape>(
        t, {a.x.values, a.x.stride, a.rows, row_bytes}, {a.weight.values, row_bytes, a.weight.outputs, row_bytes},
        row_bytes, [&](const unsigned char* x, const unsigned char* w) { multiply_slice(t, place, x, w, sums); });
    for_each_number<TileShape>([&](unsigned i, unsigned j, unsigned n) {
      store(t, a, t.block_y() * TileShape::kRows + place.row(i, n),
            t.block_x() * TileShape::kOutputs + place.output(j, n), sums[i][j][n]);
    });
  }

 private:
  template <class Thread>
  LATHE_DEVICE static void multiply_slice(const Thread& t, const TilePlace<TileShape, Thread>& place,
                                          const unsigned char* x, const unsigned char* w,
                                          int (&sums)[TileShape::kDown][TileShape::kAcross][4]) {
    unrolled<kSliceBytes / 32>([&](unsigned k) {
      const unsigned byte = 32 * k + 4 * place.in_group;
      uint32_t b[TileShape::kAcross][2];
      unrolled<TileShape::kAcross>([&](unsigned j) {
        const unsigned row = place.warp_output + 8 * j + place.group;
        b[j][0] = word_at(w, row, byte);
        b[j][1] = word_at(w, row, byte + 16);
      });
      unrolled<TileShape::kDown>([&](unsigned i) {
        const unsigned row = place.row(i, 0);
        const uint32_t fragment[4] = {word_at(x, row, byte), word_at(x, row + 8, byte), word_at(x, row, byte + 16),
                                      word_at(x, row + 8, byte + 16)};
        unrolled<TileShape::kAcross>([&](unsigned j) { t.mma_u8s8(sums[i][j], fragment, b[j]); });
      });
    });
  }

  // The lane whose group is the next one up holds the lower bytes of a wide row.
  template <class Thread>
  LATHE_DEVICE static void store(const Thread& t, const Args& a, uint32_t row, uint32_t output, int sum) {
    const bool inside = row < a.rows && output < a.weight.outputs;
    float product = 0;
    if (inside) {
      const auto whole = static_cast<float>(sum - a.x.zeros[row] * a.weight.column_sums[output]);
      product = whole * (a.x.scales[row] * a.weight.row_scales[output]);
    }
    if (a.wide != 0) product += t.shuffle_xor(product, 4u);
    if (!inside || (a.wide != 0 && row % 2 != 0)) return;
    store_output(a, a.wide != 0 ? row / 2 : row, output, product);
  }
};

}  // namespace lathe::cuda
