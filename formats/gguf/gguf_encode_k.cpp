// Q4_K and Q6_K: blocks of 256 numbers in groups with scales of their own. A grid that the type can hold is kept;
// otherwise each group gets the scale with the least squared error among a few, each fitted to the integers that it
// gives.

#include <algorithm>
#include <array>
#include <cmath>

#include "formats/gguf/gguf_encode_parts.h"

namespace lathe::detail {
namespace {

constexpr size_t kBlock = 256;
constexpr int kTrials = 9;  // scales that are tried for a group

int rounded(float value, int low, int high) {
  return std::clamp(static_cast<int>(std::lround(std::clamp(value, -1e6f, 1e6f))), low, high);
}

/// x is about scale * q - minimum, with q from 0 to 15; neither is negative.
struct Affine {
  float scale = 0;
  float minimum = 0;
};

float squared_error(std::span<const float> x, const Affine& fit) {
  const float inverse = fit.scale > 0 ? 1 / fit.scale : 0;
  float sum = 0;
  for (const float value : x) {
    const auto q = static_cast<float>(rounded((value + fit.minimum) * inverse, 0, 15));
    const float error = fit.scale * q - fit.minimum - value;
    sum += error * error;
  }
  return sum;
}

/// The scale and minimum with the least squared error for the integers that `start` gives.
Affine fitted(std::span<const float> x, const Affine& start) {
  double q_sum = 0, qq = 0, x_sum = 0, qx = 0;
  for (const float value : x) {
    const double q = rounded((value + start.minimum) / start.scale, 0, 15);
    q_sum += q;
    qq += q * q;
    x_sum += value;
    qx += q * value;
  }
  const auto count = static_cast<double>(x.size());
  const double determinant = count * qq - q_sum * q_sum;
  if (determinant <= 0) return start;
  const double scale = (count * qx - q_sum * x_sum) / determinant;
  const double minimum = (scale * q_sum - x_sum) / count;
  if (scale <= 0) return start;
  if (minimum < 0) return {static_cast<float>(qx / std::max(qq, 1.0)), 0};
  return {static_cast<float>(scale), static_cast<float>(minimum)};
}

Affine best_affine(std::span<const float> x) {
  const auto [low, high] = std::minmax_element(x.begin(), x.end());
  const float minimum = std::max(0.0f, -*low);
  const float extent = std::max(*high, 0.0f) + minimum;
  if (extent <= 0) return {0, minimum};
  Affine best{extent / 15, minimum};
  float least = squared_error(x, best);
  for (int trial = 0; trial < kTrials; ++trial) {
    const float steps = 15 + 0.25f * static_cast<float>(trial - 2);  // a little coarser, then finer and cut
    const Affine fit = fitted(x, {extent / steps, minimum});
    const float error = squared_error(x, fit);
    if (error < least) {
      least = error;
      best = fit;
    }
  }
  return best;
}

/// The inverse of how a block of Q4_K is read: group g's six bits of scale and of minimum.
void pack_six_bits(std::byte* packed, size_t group, int scale, int minimum) {
  const auto add = [&](size_t at, int bits) { packed[at] |= static_cast<std::byte>(bits); };
  if (group < 4) {
    add(group, scale);
    add(group + 4, minimum);
    return;
  }
  add(group + 4, (scale & 15) | (minimum & 15) << 4);
  add(group - 4, (scale >> 4) << 6);
  add(group, (minimum >> 4) << 6);
}

struct Q4kBlock {
  float scale = 0;  // of scales
  float minimum = 0;
  std::array<int, 8> scales{};
  std::array<int, 8> minimums{};
};

/// Of a grid of signed nibbles: eight is added to each, and taken away by the minimum.
Q4kBlock kept_q4_k(const GgufRow& row, size_t block) {
  Q4kBlock kept{row.scale, 8 * row.scale, {}, {}};
  for (size_t group = 0; group < 8; ++group) {
    kept.scales[group] = kept.minimums[group] = row.multipliers[block * 8 + group];
  }
  return kept;
}

Q4kBlock rounded_q4_k(std::span<const float> x) {
  std::array<Affine, 8> fits;
  Q4kBlock result;
  for (size_t group = 0; group < 8; ++group) {
    fits[group] = best_affine(x.subspan(group * 32, 32));
    result.scale = std::max(result.scale, fits[group].scale / 63);
    result.minimum = std::max(result.minimum, fits[group].minimum / 63);
  }
  for (size_t group = 0; group < 8; ++group) {
    result.scales[group] = result.scale > 0 ? rounded(fits[group].scale / result.scale, 0, 63) : 0;
    result.minimums[group] = result.minimum > 0 ? rounded(fits[group].minimum / result.minimum, 0, 63) : 0;
  }
  return result;
}

/// x is about scale * q, with q from -32 to 31; the scale may be negative.
float best_scale(std::span<const float> x) {
  const float largest = largest_of(x);
  if (largest == 0) return 0;
  float best = 0, most = -1;
  for (int trial = 0; trial < kTrials; ++trial) {
    const float start = largest / (-32 + 0.25f * static_cast<float>(trial - 2));
    double qx = 0, qq = 0;
    for (const float value : x) {
      const double q = rounded(value / start, -32, 31);
      qx += q * value;
      qq += q * q;
    }
    // With the fitted scale qx / qq the squared error falls by qx^2 / qq.
    const auto gain = static_cast<float>(qq > 0 ? qx * qx / qq : 0);
    if (gain > most) {
      most = gain;
      best = static_cast<float>(qq > 0 ? qx / qq : start);
    }
  }
  return best;
}

}  // namespace

void encode_q4_k(const GgufRow& row, const std::string& what, std::byte* out) {
  const bool is_kept = keeps_grid(row, -8, 7) && keeps_scale(8 * row.scale, kScaleTolerance);
  for (size_t block = 0; block < row.values.size() / kBlock; ++block, out += 144) {
    const std::span<const float> x = row.values.subspan(block * kBlock, kBlock);
    const Q4kBlock grid = is_kept ? kept_q4_k(row, block) : rounded_q4_k(x);
    std::fill_n(out, 144, std::byte{0});
    store(out, half_of(grid.scale, what));
    store(out + 2, half_of(grid.minimum, what));
    const float scale = f16_to_f32(f32_to_f16(grid.scale));
    const float minimum = f16_to_f32(f32_to_f16(grid.minimum));
    for (size_t group = 0; group < 8; ++group) {
      pack_six_bits(out + 4, group, grid.scales[group], grid.minimums[group]);
      const float step = scale * static_cast<float>(grid.scales[group]);
      const float low = minimum * static_cast<float>(grid.minimums[group]);
      for (size_t i = 0; i < 32; ++i) {
        const size_t at = group * 32 + i;
        const int q = is_kept    ? row.integers[block * kBlock + at] + 8
                      : step > 0 ? rounded((x[at] + low) / step, 0, 15)
                                 : 0;
        out[16 + group / 2 * 32 + i] |= static_cast<std::byte>(q << (group % 2 * 4));
      }
    }
  }
}

void encode_q6_k(const GgufRow& row, const std::string& what, std::byte* out) {
  const bool is_kept = keeps_grid(row, -32, 31);
  for (size_t block = 0; block < row.values.size() / kBlock; ++block, out += 210) {
    const std::span<const float> x = row.values.subspan(block * kBlock, kBlock);
    std::array<float, 16> fits;
    for (size_t group = 0; group < 16; ++group) fits[group] = best_scale(x.subspan(group * 16, 16));
    const float of_scales = is_kept ? row.scale : largest_of(fits) / -128;
    std::fill_n(out, 210, std::byte{0});
    store(out + 208, half_of(of_scales, what));
    const float unit = f16_to_f32(f32_to_f16(of_scales));
    for (size_t i = 0; i < kBlock; ++i) {
      const size_t group = i / 16, half = i / 128, run = i / 32 % 4, lane = i % 32;
      const int multiplier = is_kept ? row.multipliers[(block * kBlock + i) / kGgufBlock]
                                     : (unit != 0 ? rounded(fits[group] / unit, -128, 127) : 0);
      const float step = unit * static_cast<float>(multiplier);
      const int integer = is_kept ? row.integers[block * kBlock + i] : step != 0 ? rounded(x[i] / step, -32, 31) : 0;
      const int q = integer + 32;
      out[half * 64 + run % 2 * 32 + lane] |= static_cast<std::byte>((q & 15) << (run / 2 * 4));
      out[128 + half * 32 + lane] |= static_cast<std::byte>((q >> 4) << (2 * run));
      out[192 + group] = static_cast<std::byte>(multiplier);
    }
  }
}

}  // namespace lathe::detail
