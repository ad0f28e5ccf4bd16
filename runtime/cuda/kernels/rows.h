#pragma once
// The kernels that work on rows or on single numbers.

#include "runtime/cuda/kernels/numeric.h"

namespace lathe::cuda {

inline constexpr unsigned kWarpsOfBlock = kWholeBlock / kWarp;

/// The row that a warp works on, where each warp of each block takes one.
template <class Thread>
LATHE_DEVICE uint32_t warp_row(const Thread& t) {
  return t.block_x() * kWarpsOfBlock + t.warp();
}

/// Copies the rows of a table that `ids` names, as f32. A warp copies a row.
struct Gather {
  using Args = GatherArgs;
  static constexpr unsigned kThreads = kWholeBlock;

  template <class Thread>
  LATHE_DEVICE static void run(const Thread& t, const Args& a) {
    const uint32_t row = warp_row(t);
    if (row >= a.rows) return;
    const WeightView& table = a.table;
    const auto id = static_cast<uint32_t>(a.ids[row]);
    float* y = a.y + static_cast<uint64_t>(row) * table.inputs;
    const unsigned char* from = row_of(table, id);
    switch (table.format) {
      case Format::f32:
        return copy_floats<Format::f32>(t, table, from, y);
      case Format::f16:
        return copy_floats<Format::f16>(t, table, from, y);
      case Format::bf16:
        return copy_floats<Format::bf16>(t, table, from, y);
      case Format::int8:
      case Format::int4:
      case Format::int8_bitmask:
      case Format::int4_bitmask:
        for (uint32_t i = t.lane(); i < table.inputs && table.mask != nullptr; i += kWarp) y[i] = 0;
        t.sync_warp();
        for_each_integer(t, table, id, [&](uint32_t column, int integer) {
          y[column] = table.row_scales[id] * static_cast<float>(integer);
        });
        return;
    }
  }

 private:
  template <Format format, class Thread>
  LATHE_DEVICE static void copy_floats(const Thread& t, const WeightView& table, const unsigned char* from, float* y) {
    for (uint32_t i = t.lane(); i < table.inputs; i += kWarp) y[i] = float_at<format>(from, i);
  }
};

/// Rounds rows to 8 or to 16 bits, with the operations of the CPU's kernels in their order. A warp rounds a row.
struct Quantize {
  using Args = QuantizeArgs;
  static constexpr unsigned kThreads = kWholeBlock;

  template <class Thread>
  LATHE_DEVICE static void run(const Thread& t, const Args& a) {
    const uint32_t row = warp_row(t);
    if (row >= a.rows) return;
    const float* x = a.x + static_cast<uint64_t>(row) * a.width;
    float low = 0, high = 0;
    for (uint32_t i = t.lane(); i < a.width; i += kWarp) {
      low = smaller(x[i], low);
      high = larger(x[i], high);
    }
    low = -warp_max(t, -low);
    high = warp_max(t, high);
    if (a.wide != 0) return round_wide(t, a, row, x, low, high - low);
    round_narrow(t, a, row, x, low, high - low);
  }

 private:
  LATHE_DEVICE static float held(float value, float top) { return fminf(fmaxf(value, 0.0f), top); }

  template <class Thread>
  LATHE_DEVICE static void round_narrow(const Thread& t, const Args& a, uint32_t row, const float* x, float low,
                                        float extent) {
    const bool flat = extent < 1e-35f;
    const float inverse = flat ? 0.0f : 255.0f / extent;
    const float zero = rintf((0.0f - low) * inverse);
    if (t.lane() == 0) {
      a.out.scales[row] = flat ? 1.0f : extent / 255.0f;
      a.out.zeros[row] = static_cast<int32_t>(zero);
    }
    unsigned char* out = a.out.values + static_cast<uint64_t>(row) * a.out.stride;
    for (uint32_t i = t.lane(); i < a.out.stride; i += kWarp) {
      out[i] = i < a.width ? static_cast<unsigned char>(held(rintf(x[i] * inverse) + zero, 255.0f))
                           : static_cast<unsigned char>(0);
    }
  }

  // The upper and the lower byte of each number, a row each. The zero point is a multiple of 256.
  template <class Thread>
  LATHE_DEVICE static void round_wide(const Thread& t, const Args& a, uint32_t row, const float* x, float low,
                                      float extent) {
    constexpr float kSteps = 65535.0f - 256.0f;  // what is left when the zero point is rounded
    const bool flat = extent < 1e-33f;
    const float inverse = flat ? 0.0f : kSteps / extent;
    const float zero = rintf((0.0f - low) * inverse * (1.0f / 256.0f));
    if (t.lane() == 0) {
      const float scale = flat ? 1.0f : extent / kSteps;
      a.out.scales[2 * row] = 256.0f * scale;
      a.out.scales[2 * row + 1] = scale;
      a.out.zeros[2 * row] = static_cast<int32_t>(zero);
      a.out.zeros[2 * row + 1] = 0;
    }
    unsigned char* upper = a.out.values + 2 * static_cast<uint64_t>(row) * a.out.stride;
    unsigned char* lower = upper + a.out.stride;
    for (uint32_t i = t.lane(); i < a.out.stride; i += kWarp) {
      const float whole = i < a.width ? held(rintf(x[i] * inverse) + 256.0f * zero, 65535.0f) : 0.0f;
      const float top = i < a.width ? rintf((whole - 127.5f) * (1.0f / 256.0f)) : 0.0f;
      upper[i] = static_cast<unsigned char>(top);
      lower[i] = static_cast<unsigned char>(whole - top * 256.0f);
    }
  }
};

/// A sum over a row in the order of the CPU's kernels: sixteen lanes take every sixteenth number and are folded in
/// halves; the numbers after the last sixteen are added one by one. term(i, sum) and rest(i, sum) add number i to a
/// sum.
template <class Thread, class Term, class Rest>
LATHE_DEVICE float ordered_sum(const Thread& t, uint32_t width, const Term& term, const Rest& rest) {
  constexpr uint32_t kLanes = 16;
  const uint32_t whole = width / kLanes * kLanes;
  float sum = 0;
  for (uint32_t i = t.lane(); i < whole && t.lane() < kLanes; i += kLanes) sum = term(i, sum);
  for (unsigned mask = kLanes / 2; mask > 0; mask /= 2) sum += t.shuffle_xor(sum, mask);
  float rest_sum = 0;
  for (uint32_t i = whole; i < width; ++i) rest_sum = rest(i, rest_sum);
  return t.shuffle(sum, 0u) + rest_sum;
}

/// The sum of (at(i) - mean)^2 over a row, in that order.
template <class Thread, class At>
LATHE_DEVICE float squared_distance(const Thread& t, uint32_t width, float mean, const At& at) {
  const auto distance = [&](uint32_t i) { return at(i) - mean; };
  return ordered_sum(
      t, width, [&](uint32_t i, float sum) { return fmaf(distance(i), distance(i), sum); },
      [&](uint32_t i, float sum) { return sum + distance(i) * distance(i); });
}

/// y = (x - mean) / sqrt(variance + epsilon) * gamma + beta with x = a + b. A warp takes a row.
struct LayerNorm {
  using Args = LayerNormArgs;
  static constexpr unsigned kThreads = kWholeBlock;

  template <class Thread>
  LATHE_DEVICE static void run(const Thread& t, const Args& a) {
    const uint32_t row = warp_row(t);
    if (row >= a.rows) return;
    const uint64_t first = static_cast<uint64_t>(row) * a.width;
    const auto at = [&](uint32_t i) { return a.b == nullptr ? a.a[first + i] : a.a[first + i] + a.b[first + i]; };
    const auto count = static_cast<float>(a.width);
    const auto plain = [&](uint32_t i, float sum) { return sum + at(i); };
    const float mean = ordered_sum(t, a.width, plain, plain) / count;
    const float inverse = 1.0f / sqrtf(squared_distance(t, a.width, mean, at) / count + a.epsilon);
    // y may be a or b: each lane has read its numbers before it writes them, and the sums are done.
    for (uint32_t i = t.lane(); i < a.width; i += kWarp) {
      a.y[first + i] = fmaf((at(i) - mean) * inverse, a.gamma[i], a.beta[i]);
    }
  }
};

/// y = x / sqrt(mean(x^2) + epsilon) * gamma. A warp takes a part of a row.
struct RmsNorm {
  using Args = RmsNormArgs;
  static constexpr unsigned kThreads = kWholeBlock;

  template <class Thread>
  LATHE_DEVICE static void run(const Thread& t, const Args& a) {
    const uint32_t part = warp_row(t);
    if (part >= a.parts) return;
    const float* x = a.x + static_cast<uint64_t>(part) * a.width;
    float* y = a.y + static_cast<uint64_t>(part) * a.width;
    const float squares = squared_distance(t, a.width, 0.0f, [&](uint32_t i) { return x[i]; });
    const float inverse = 1.0f / sqrtf(squares / static_cast<float>(a.width) + a.epsilon);
    for (uint32_t i = t.lane(); i < a.width; i += kWarp) y[i] = x[i] * inverse * a.gamma[i];
  }
};

/// y = x / max(|x|, epsilon). A warp takes a row, whose squares one lane adds up in double.
struct Normalize {
  using Args = NormalizeArgs;
  static constexpr unsigned kThreads = kWholeBlock;

  template <class Thread>
  LATHE_DEVICE static void run(const Thread& t, const Args& a) {
    const uint32_t row = warp_row(t);
    if (row >= a.rows) return;
    const uint64_t first = static_cast<uint64_t>(row) * a.width;
    double squares = 0;
    for (uint32_t i = 0; i < a.width && t.lane() == 0; ++i) {
      squares += static_cast<double>(a.x[first + i]) * static_cast<double>(a.x[first + i]);
    }
    const float norm = larger(t.shuffle(static_cast<float>(sqrt(squares)), 0u), a.epsilon);
    for (uint32_t i = t.lane(); i < a.width; i += kWarp) a.y[first + i] = a.x[first + i] / norm;
  }
};

LATHE_DEVICE float combine(const ElementwiseArgs& a, uint64_t i) {
  switch (a.combine) {
    case Combine::add:
      return a.a[i] + a.b[i];
    case Combine::multiply:
      return a.a[i] * a.b[i];
    case Combine::activate:
      return apply(a.activation, a.a[i]);
    case Combine::gated:
      return apply(a.activation, a.a[i]) * a.b[i];
  }
  return 0;  // not reached: every case returns
}

/// A number a thread.
struct Elementwise {
  using Args = ElementwiseArgs;
  static constexpr unsigned kThreads = kWholeBlock;

  template <class Thread>
  LATHE_DEVICE static void run(const Thread& t, const Args& a) {
    const uint64_t i = static_cast<uint64_t>(t.block_x()) * kThreads + t.thread();
    if (i >= a.count) return;
    a.y[i] = combine(a, i);
  }
};

/// The same numbers, a warp a row.
struct CombineRows {
  using Args = CombineRowsArgs;
  static constexpr unsigned kThreads = kWholeBlock;

  template <class Thread>
  LATHE_DEVICE static void run(const Thread& t, const Args& a) {
    const uint32_t row = warp_row(t);
    if (row >= a.rows) return;
    const uint64_t first = static_cast<uint64_t>(row) * a.width;
    for (uint32_t i = t.lane(); i < a.width; i += kWarp) a.numbers.y[first + i] = combine(a.numbers, first + i);
  }
};

/// A kernel whose warps each write a row, and the rounding of that row: each lane reads what it has written itself.
template <class Kernel>
struct ThenQuantize {
  struct Args {
    typename Kernel::Args kernel;
    QuantizeArgs quantize;
  };
  static constexpr unsigned kThreads = kWholeBlock;

  template <class Thread>
  LATHE_DEVICE static void run(const Thread& t, const Args& a) {
    Kernel::run(t, a.kernel);
    Quantize::run(t, a.quantize);
  }
};

/// One row for each sequence: a thread takes a column.
struct PoolRows {
  using Args = PoolArgs;
  static constexpr unsigned kThreads = kWholeBlock;

  template <class Thread>
  LATHE_DEVICE static void run(const Thread& t, const Args& a) {
    const uint32_t column = t.block_x() * kThreads + t.thread();
    const uint32_t sequence = t.block_y();
    if (column >= a.width) return;
    const auto first = static_cast<uint32_t>(a.starts[sequence]);
    const auto end = static_cast<uint32_t>(a.starts[sequence + 1]);
    float value = a.x[static_cast<uint64_t>(first) * a.width + column];
    for (uint32_t row = first + 1; row < end && a.pool != Pool::first; ++row) {
      const float other = a.x[static_cast<uint64_t>(row) * a.width + column];
      value = a.pool == Pool::mean ? value + other : fmaxf(value, other);
    }
    if (a.pool == Pool::mean) value /= static_cast<float>(end - first);
    a.y[static_cast<uint64_t>(sequence) * a.width + column] = value;
  }
};

/// Copies rows. A warp copies one.
struct Select {
  using Args = SelectArgs;
  static constexpr unsigned kThreads = kWholeBlock;

  template <class Thread>
  LATHE_DEVICE static void run(const Thread& t, const Args& a) {
    const uint32_t row = warp_row(t);
    if (row >= a.rows) return;
    const float* x = a.x + static_cast<uint64_t>(a.selected[row]) * a.width;
    float* y = a.y + static_cast<uint64_t>(row) * a.width;
    for (uint32_t i = t.lane(); i < a.width; i += kWarp) y[i] = x[i];
  }
};

/// The index of the largest number. A block takes a row.
struct Argmax {
  using Args = ArgmaxArgs;
  static constexpr unsigned kThreads = kWholeBlock;
  static constexpr unsigned kSharedBytes = kWarpsOfBlock * 8;

  template <class Thread>
  LATHE_DEVICE static void run(const Thread& t, const Args& a) {
    const float* x = a.x + static_cast<uint64_t>(t.block_x()) * a.width;
    float best = x[0];
    int index = 0;
    for (uint32_t i = t.thread(); i < a.width; i += kThreads) {
      if (x[i] > best) {
        best = x[i];
        index = static_cast<int>(i);
      }
    }
    for (unsigned mask = kWarp / 2; mask > 0; mask /= 2) {
      take_better(best, index, t.shuffle_xor(best, mask), t.shuffle_xor(index, mask));
    }
    float* bests = t.template shared<float>();
    int* indices = reinterpret_cast<int*>(bests + kWarpsOfBlock);
    if (t.lane() == 0) {
      bests[t.warp()] = best;
      indices[t.warp()] = index;
    }
    t.sync();
    if (t.thread() != 0) return;
    for (unsigned w = 1; w < kWarpsOfBlock; ++w) take_better(best, index, bests[w], indices[w]);
    a.y[t.block_x()] = index;
  }

 private:
  LATHE_DEVICE static void take_better(float& best, int& index, float other, int other_index) {
    if (other < best || (other == best && other_index >= index)) return;
    best = other;
    index = other_index;
  }
};

}  // namespace lathe::cuda
