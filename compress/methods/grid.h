#pragma once
// The values that an encoding can hold in each place of a matrix, and the search for the best such grid.

#include <cstdint>
#include <vector>

#include "compress/methods/matrix.h"
#include "compress/methods/prune.h"
#include "formats/artifact/encoding.h"

namespace lathe {

/// Integer encodings hold step * q with an integer q in [lowest, highest], where step = row_scale * multiplier is exact
/// in f32. Float encodings hold what the type holds; they have no groups.
struct Grid {
  ValueType values = ValueType::f32;
  size_t rows = 0;
  size_t group = 0;                  // columns that share a step; all of them where the type is not grouped
  size_t groups = 0;                 // in one row; 0 for float types
  std::vector<float> row_scales;     // [rows], each exactly a bf16, positive and finite
  std::vector<uint8_t> multipliers;  // [rows, groups], at most kMaxGroupScale; 1 where the type is not grouped
  std::vector<float> steps;          // [groups, rows]
  std::vector<float> inverse_steps;  // [groups, rows]; 0 where the step is 0
  float lowest = 0;
  float highest = 0;

  /// The nearest value that the grid holds, for every row of one column: `in` and `out` have `rows` elements.
  void snap_column(size_t col, const float* in, float* out) const;
  float snap(size_t row, size_t col, float value) const;
};

/// The grid that an encoded weight lies on.
Grid grid_of(const EncodedTensor& tensor);
/// Sets every row's scale to the nearest that can be stored, and the steps with them.
void set_row_scales(Grid& grid, const std::vector<float>& scales);
/// The nearest scale that can be stored.
float storable_scale(float scale);

/// Chooses the scales that minimise the sum of importance[col] * (w - snapped w)^2 over the kept weights. `importance`
/// has one entry for each column, or none where all count alike; `keep` may be null. All values must be finite.
Grid choose_grid(const Matrix& weight, const Encoding& encoding, const std::vector<float>& importance,
                 const Mask* keep);

}  // namespace lathe
