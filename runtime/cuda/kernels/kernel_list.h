#pragma once
// Every kernel, in one list: the device module and the tests' host execution make their tables from it, and a launch
// names a kernel by its place in it.

#include <cstddef>
#include <tuple>
#include <type_traits>

#include "runtime/cuda/kernels/attention.h"
#include "runtime/cuda/kernels/expand.h"
#include "runtime/cuda/kernels/float_gemm.h"
#include "runtime/cuda/kernels/gemm.h"
#include "runtime/cuda/kernels/gemv.h"
#include "runtime/cuda/kernels/rope.h"
#include "runtime/cuda/kernels/rows.h"

namespace lathe::cuda {

template <template <Format, int> class Gemv, Format format, int... rows>
using EachRowCount = std::tuple<Gemv<format, rows>...>;
template <Format format>
using IntegerGemvs = EachRowCount<IntegerGemv, format, 1, 2, 4, 8, 16>;  // eight wide rows are sixteen
template <Format format>
using FloatGemvs = EachRowCount<FloatGemv, format, 1, 2, 4, 8>;

using KernelList = decltype(std::tuple_cat(
    IntegerGemvs<Format::int8>(), IntegerGemvs<Format::int4>(), IntegerGemvs<Format::int8_bitmask>(),
    IntegerGemvs<Format::int4_bitmask>(), FloatGemvs<Format::f32>(), FloatGemvs<Format::f16>(),
    FloatGemvs<Format::bf16>(),
    std::tuple<IntegerGemm<LargeTile>, IntegerGemm<SmallTile>, FloatGemm<Format::f32>, FloatGemm<Format::f16>,
               FloatGemm<Format::bf16>, AddMoments, Expand, RowSums, Gather, ThenQuantize<LayerNorm>,
               ThenQuantize<RmsNorm>, ThenQuantize<CombineRows>, Quantize, LayerNorm, RmsNorm, Normalize, Elementwise,
               Rope, PoolRows, Select, Argmax, Attention<KeySource::batch>, Attention<KeySource::cache_f16>,
               Attention<KeySource::cache_int8>, SplitAttention<KeySource::cache_f16>,
               SplitAttention<KeySource::cache_int8>, CombineSplits, StoreKeys<KeySource::cache_f16>,
               StoreKeys<KeySource::cache_int8>, RopeAndStore<KeySource::cache_f16>,
               RopeAndStore<KeySource::cache_int8>>()));
inline constexpr size_t kKernels = std::tuple_size_v<KernelList>;

/// The place of a kernel in the list.
template <class Kernel, size_t at = 0>
constexpr size_t kernel_index() {
  static_assert(at < kKernels, "the kernel is not in the list");
  if constexpr (std::is_same_v<std::tuple_element_t<at, KernelList>, Kernel>) {
    return at;
  } else {
    return kernel_index<Kernel, at + 1>();
  }
}

}  // namespace lathe::cuda
