#include "runtime/cuda/linear.h"

#include <array>

#include "formats/artifact/bytes.h"
#include "runtime/cuda/launch.h"

namespace lathe::cuda {
namespace {

// Calls launch_one<count>() for the smallest of the counts that is enough for `rows`.
template <int... counts, class LaunchOne>
void with_row_count(uint32_t rows, const LaunchOne& launch_one) {
  bool done = false;
  const auto launch_if_enough = [&]<int count>() {
    if (done || rows > static_cast<uint32_t>(count)) return;
    launch_one.template operator()<count>();
    done = true;
  };
  (launch_if_enough.template operator()<counts>(), ...);
}

template <Format format>
void launch_integer_gemv(Queue& queue, const IntegerGemvArgs& args, uint32_t blocks) {
  with_row_count<1, 2, 4, 8, 16>(args.layers[0].rows,
                                 [&]<int rows>() { launch<IntegerGemv<format, rows>>(queue, {blocks}, args); });
}

template <Format format>
void launch_float(Queue& queue, const FloatLinearArgs& args) {
  if (args.rows <= kFewRows) {
    return with_row_count<1, 2, 4, 8>(args.rows, [&]<int rows>() {
      launch<FloatGemv<format, rows>>(queue, {blocks_for(args.weight.outputs, kGemvOutputs)}, args);
    });
  }
  using Tile = typename FloatGemm<format>::TileShape;
  launch<FloatGemm<format>>(
      queue, {blocks_for(args.weight.outputs, Tile::kOutputs), blocks_for(args.rows, Tile::kRows)}, args);
}

template <class Tile>
void launch_gemm(Queue& queue, const IntegerLinearArgs& args) {
  launch<IntegerGemm<Tile>>(
      queue, {blocks_for(args.weight.outputs, Tile::kOutputs), blocks_for(args.rows, Tile::kRows)}, args);
}

// In the order of Format; the other half is null.
constexpr std::array<void (*)(Queue&, const IntegerGemvArgs&, uint32_t blocks), 7> kIntegerGemvs = {
    nullptr,
    nullptr,
    nullptr,
    launch_integer_gemv<Format::int8>,
    launch_integer_gemv<Format::int4>,
    launch_integer_gemv<Format::int8_bitmask>,
    launch_integer_gemv<Format::int4_bitmask>};
constexpr std::array<void (*)(Queue&, const FloatLinearArgs&), 3> kFloats = {
    launch_float<Format::f32>, launch_float<Format::f16>, launch_float<Format::bf16>};

}  // namespace

void launch_side_by_side(Queue& queue, std::span<const IntegerLinearArgs> layers) {
  IntegerGemvArgs args{};
  uint32_t blocks = 0;
  for (size_t i = 0; i < layers.size(); ++i) {
    args.layers[i] = layers[i];
    args.ends[i] = blocks += blocks_for(layers[i].weight.outputs, kGemvOutputs);
  }
  kIntegerGemvs[static_cast<size_t>(layers[0].weight.format)](queue, args, blocks);
}

void launch_linear(Queue& queue, const IntegerLinearArgs& args, unsigned char* expanded, unsigned multiprocessors) {
  const size_t rows = args.wide != 0 ? args.rows / 2 : args.rows;
  if (rows <= kFewRows) return launch_side_by_side(queue, {&args, 1});
  IntegerLinearArgs dense = args;
  if (args.weight.format != Format::int8) {
    const auto row_bytes = static_cast<uint32_t>(round_up(args.weight.inputs, 16));
    launch<Expand>(queue, {blocks_for(args.weight.outputs, kWholeBlock / kWarp)}, {args.weight, expanded, row_bytes});
    dense.weight.format = Format::int8;
    dense.weight.values = expanded;
    dense.weight.row_bytes = row_bytes;
    dense.weight.row_starts = nullptr;
  }
  const unsigned large = blocks_for(args.weight.outputs, LargeTile::kOutputs) * blocks_for(args.rows, LargeTile::kRows);
  if (large >= multiprocessors) return launch_gemm<LargeTile>(queue, dense);
  launch_gemm<SmallTile>(queue, dense);
}

void launch_linear(Queue& queue, const FloatLinearArgs& args) {
  kFloats[static_cast<size_t>(args.weight.format)](queue, args);
}

}  // namespace lathe::cuda
