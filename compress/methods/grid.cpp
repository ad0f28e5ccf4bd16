#include "compress/methods/grid.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "formats/artifact/half.h"

namespace lathe {
namespace {

constexpr float kSmallestScale = 0x1p-126f;
constexpr float kLargestScale = 0x1p+120f;  // its product with any int8 is still finite

// Adding this moves the binary point so that the addition itself rounds to the nearest even integer.
constexpr float kRounder = 0x1.8p23f;

// The scales that are tried, as shares of the scale that would hold the largest weight.
constexpr std::array<float, 10> kRowScaleClips = {1.0f, 0.97f, 0.94f, 0.9f, 0.86f, 0.82f, 0.78f, 0.74f, 0.7f, 0.66f};
// The row scales that are tried are those for which the largest group's ideal step is this many times the row scale,
// and a group's multiplier may be as small as this share of its ideal one.
constexpr int kRowScaleSteps = 16;
constexpr float kFewestLevels = 8.0f;
constexpr float kMostLevels = 21.0f;
constexpr float kTightestClip = 0.65f;

constexpr size_t kLanes = 8;

inline float snap_integer(float value, float inverse, float step, float lowest, float highest) {
  float q = value * inverse;
  q = q < lowest ? lowest : q;
  q = q > highest ? highest : q;
  return ((q + kRounder) - kRounder) * step;
}

// Squared error of neighbouring weights that share a step, summed in a fixed order of lanes so that the compiler can
// vectorise it.
float snap_error(const float* weights, const float* importance, size_t count, float step, float lowest, float highest) {
  const float inverse = step > 0 ? 1.0f / step : 0.0f;
  std::array<float, kLanes> sums{};
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const float w = weights[i + lane];
      const float error = w - snap_integer(w, inverse, step, lowest, highest);
      sums[lane] += importance[i + lane] * error * error;
    }
  }
  float sum = 0;
  for (const float lane : sums) sum += lane;
  for (; i < count; ++i) {
    const float error = weights[i] - snap_integer(weights[i], inverse, step, lowest, highest);
    sum += importance[i] * error * error;
  }
  return sum;
}

// One row as the searches see it: pruned weights are zero.
struct Row {
  std::vector<float> weights;
  const std::vector<float>& importance;
};

// The smallest step that holds all of these weights without clipping.
float ideal_step(const float* weights, size_t count, float lowest, float highest) {
  float most = 0;
  float least = 0;
  for (size_t i = 0; i < count; ++i) {
    most = std::max(most, weights[i]);
    least = std::min(least, weights[i]);
  }
  return std::max(most / highest, least / lowest);
}

float choose_row_scale(const Row& row, float lowest, float highest) {
  const size_t count = row.weights.size();
  const float ideal = ideal_step(row.weights.data(), count, lowest, highest);
  if (!(ideal > 0)) return 1.0f;
  float best_scale = storable_scale(ideal);
  float best_error = snap_error(row.weights.data(), row.importance.data(), count, best_scale, lowest, highest);
  for (const float clip : kRowScaleClips) {
    const float scale = storable_scale(ideal * clip);
    const float error = snap_error(row.weights.data(), row.importance.data(), count, scale, lowest, highest);
    if (error < best_error) {
      best_error = error;
      best_scale = scale;
    }
  }
  return best_scale;
}

struct GroupedRow {
  float scale = 1.0f;
  float error = 0;
  std::vector<uint8_t> multipliers;
};

// The best multipliers for one row scale.
void fit_multipliers(const Row& row, const Grid& grid, const std::vector<float>& ideals, GroupedRow& candidate) {
  candidate.error = 0;
  for (size_t g = 0; g < ideals.size(); ++g) {
    const size_t first = g * grid.group;
    const size_t count = std::min(grid.group, row.weights.size() - first);
    const float levels = ideals[g] / candidate.scale;
    const int from = std::clamp(static_cast<int>(levels * kTightestClip), 0, kMaxGroupScale);
    const int to = std::clamp(static_cast<int>(std::ceil(levels)), from, kMaxGroupScale);
    float best_error = 0;
    int best = -1;
    for (int multiplier = from; multiplier <= to; ++multiplier) {
      const float step = candidate.scale * static_cast<float>(multiplier);
      const float error =
          snap_error(row.weights.data() + first, row.importance.data() + first, count, step, grid.lowest, grid.highest);
      if (best < 0 || error < best_error) {
        best_error = error;
        best = multiplier;
      }
    }
    candidate.multipliers[g] = static_cast<uint8_t>(best);
    candidate.error += best_error;
  }
}

GroupedRow choose_grouped_row(const Row& row, const Grid& grid) {
  std::vector<float> ideals(grid.groups);
  for (size_t g = 0; g < grid.groups; ++g) {
    const size_t first = g * grid.group;
    ideals[g] = ideal_step(row.weights.data() + first, std::min(grid.group, row.weights.size() - first), grid.lowest,
                           grid.highest);
  }
  const float largest = *std::max_element(ideals.begin(), ideals.end());
  GroupedRow best;
  best.multipliers.assign(grid.groups, 0);
  if (!(largest > 0)) return best;
  GroupedRow candidate = best;
  for (int i = 0; i < kRowScaleSteps; ++i) {
    const float share = static_cast<float>(i) / static_cast<float>(kRowScaleSteps - 1);
    candidate.scale = storable_scale(largest / (kFewestLevels * std::pow(kMostLevels / kFewestLevels, share)));
    fit_multipliers(row, grid, ideals, candidate);
    if (i == 0 || candidate.error < best.error) best = candidate;
  }
  return best;
}

Grid empty_grid(const Encoding& encoding, size_t rows, size_t cols) {
  Grid grid;
  grid.values = encoding.values;
  grid.rows = rows;
  const ValueCodec& codec = value_codec(encoding.values);
  if (!codec.integer) return grid;
  grid.group = codec.grouped ? encoding.group : cols;
  grid.groups = ceil_div(cols, grid.group);
  grid.lowest = static_cast<float>(codec.lowest);
  grid.highest = static_cast<float>(codec.highest);
  grid.row_scales.assign(grid.rows, 1.0f);
  grid.multipliers.assign(grid.rows * grid.groups, 1);
  return grid;
}

void set_steps(Grid& grid) {
  grid.steps.resize(grid.rows * grid.groups);
  grid.inverse_steps.resize(grid.rows * grid.groups);
  for (size_t r = 0; r < grid.rows; ++r) {
    for (size_t g = 0; g < grid.groups; ++g) {
      const float step = grid.row_scales[r] * static_cast<float>(grid.multipliers[r * grid.groups + g]);
      grid.steps[g * grid.rows + r] = step;
      grid.inverse_steps[g * grid.rows + r] = step > 0 ? 1.0f / step : 0.0f;
    }
  }
}

}  // namespace

float storable_scale(float scale) { return bf16_to_f32(f32_to_bf16(std::clamp(scale, kSmallestScale, kLargestScale))); }

void Grid::snap_column(size_t col, const float* in, float* out) const {
  if (groups == 0) {
    std::transform(in, in + rows, out, value_codec(values).nearest);
    return;
  }
  const float* step = steps.data() + (col / group) * rows;
  const float* inverse = inverse_steps.data() + (col / group) * rows;
  const float low = lowest;
  const float high = highest;
  for (size_t r = 0; r < rows; ++r) out[r] = snap_integer(in[r], inverse[r], step[r], low, high);
}

float Grid::snap(size_t row, size_t col, float value) const {
  if (groups == 0) return value_codec(values).nearest(value);
  const size_t at = (col / group) * rows + row;
  return snap_integer(value, inverse_steps[at], steps[at], lowest, highest);
}

Grid choose_grid(const Matrix& weight, const Encoding& encoding, const std::vector<float>& importance,
                 const Mask* keep) {
  Grid grid = empty_grid(encoding, weight.rows, weight.cols);
  if (grid.groups == 0) return grid;
  const std::vector<float> equal(importance.empty() ? weight.cols : 0, 1.0f);
  Row row{{}, importance.empty() ? equal : importance};
  for (size_t r = 0; r < weight.rows; ++r) {
    row.weights.assign(weight.row(r), weight.row(r) + weight.cols);
    for (size_t c = 0; keep != nullptr && c < weight.cols; ++c) {
      if ((*keep)[r * weight.cols + c] == 0) row.weights[c] = 0;
    }
    if (value_codec(encoding.values).grouped) {
      const GroupedRow best = choose_grouped_row(row, grid);
      grid.row_scales[r] = best.scale;
      std::copy(best.multipliers.begin(), best.multipliers.end(), grid.multipliers.begin() + r * grid.groups);
    } else {
      grid.row_scales[r] = choose_row_scale(row, grid.lowest, grid.highest);
    }
  }
  set_steps(grid);
  return grid;
}

Grid grid_of(const EncodedTensor& tensor) {
  Grid grid = empty_grid(tensor.encoding, tensor.rows(), tensor.cols());
  if (grid.groups == 0) return grid;
  for (size_t r = 0; r < grid.rows; ++r) grid.row_scales[r] = row_scale(tensor, r);
  if (value_codec(tensor.encoding.values).grouped) {
    for (size_t r = 0; r < grid.rows; ++r) {
      for (size_t g = 0; g < grid.groups; ++g) {
        grid.multipliers[r * grid.groups + g] = static_cast<uint8_t>(group_scale(tensor, r, g * grid.group));
      }
    }
  }
  set_steps(grid);
  return grid;
}

void set_row_scales(Grid& grid, const std::vector<float>& scales) {
  std::transform(scales.begin(), scales.end(), grid.row_scales.begin(), storable_scale);
  set_steps(grid);
}

}  // namespace lathe
