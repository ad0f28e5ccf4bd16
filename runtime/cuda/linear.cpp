#include "runtime/cuda/linear.h"

#include <array>

#include "formats/artifact/bytes.h"
#include "runtime/cuda/launch.h"

namespace lathe::cuda {
namespace {

// The kernel for the smallest number of rows that is enough; `rows` lists them in order.
template <template <Format, int> class Gemv, Format format, class Args, int... rows>
void launch_gemv(Queue& queue, const Args& args) {
  const Grid grid{blocks_for(args.weight.outputs, kGemvOutputs)};
  bool done = false;
  const auto launch_if_enough = [&]<int count>() {
    if (done || args.rows > static_cast<uint32_t>(count)) return;
    launch<Gemv<format, count>>(queue, grid, args);
    done = true;
  };
  (launch_if_enough.template operator()<rows>(), ...);
}

template <Format format>
void launch_integer_gemv(Queue& queue, const IntegerLinearArgs& args) {
  launch_gemv<IntegerGemv, format, IntegerLinearArgs, 1, 2, 4, 8, 16>(queue, args);
}

template <Format format>
void launch_float(Queue& queue, const FloatLinearArgs& args) {
  if (args.rows <= kFewRows) return launch_gemv<FloatGemv, format, FloatLinearArgs, 1, 2, 4, 8>(queue, args);
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
constexpr std::array<void (*)(Queue&, const IntegerLinearArgs&), 7> kIntegerGemvs = {
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

void launch_linear(Queue& queue, const IntegerLinearArgs& args, unsigned char* expanded, unsigned multiprocessors) {
  const size_t rows = args.wide != 0 ? args.rows / 2 : args.rows;
  if (rows <= kFewRows) return kIntegerGemvs[static_cast<size_t>(args.weight.format)](queue, args);
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
