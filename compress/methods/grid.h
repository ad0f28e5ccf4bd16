#pragma once
// The values that an encoding can hold in each place of a matrix, and the search for the best such grid.

#include <cstdint>
#include <vector>

#include "compress/methods/matrix.h"
#include "compress/methods/prune.h"
#include "formats/artifact/encoding.h"

namespace lathe {

/// Weights on an integer grid are step * q with q in [lowest, highest]; step = row_scale * multiplier is exact in f32.
struct Grid {
  ValueType values = ValueType::f32;
  size_t rows = 0;
  size_t group = 0;                  // columns that share a step; all of them where the type is not grouped
  size_t groups = 0;                 // 0 for float types
  std::vector<float> row_scales;     // [rows], each exactly a bf16, positive and finite
  std::vector<uint8_t> multipliers;  // [rows, groups], at most kMaxGroupScale; 1 where the type is not grouped
  std::vector<float> steps;          // [groups, rows]
  std::vector<float> inverse_steps;  // [groups, rows]; 0 where the step is 0
  float lowest = 0;
  float highest = 0;

  /// The nearest value that can be held in column `col` of every row.
  void snap_column(size_t col, const float* in, float* out) const;
  float snap(size_t row, size_t col, float value) const;
};

/// The grid that an encoded weight lies on. Float types have none to speak of.
Grid grid_of(const EncodedTensor& tensor);
/// Sets the scale of every row to the nearest that can be stored, and the steps with them.
void set_row_scales(Grid& grid, const std::vector<float>& scales);
/// The nearest scale that can be stored.
float storable_scale(float scale);

/// Chooses scales that minimise sum importance[col] * (w - snapped w)^2 over the kept weights. `importance` has one
/// entry a column, empty for equal ones; `keep` may be null. All values are finite.
Grid choose_grid(const Matrix& weight, const Encoding& encoding, const std::vector<float>& importance,
                 const Mask* keep);

}  // namespace lathe
