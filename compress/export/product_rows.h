#pragma once
// A low-rank layer as the one weight that it stands for.

#include <span>
#include <vector>

#include "formats/artifact/encoding.h"

namespace lathe {

/// Rows of up [rows, rank] times down [rank, columns], in any order. The tensors outlive it; it holds `down` as f32.
class ProductRows {
 public:
  ProductRows(const EncodedTensor& up, const EncodedTensor& down);

  /// Valid until the next call. Sums are in double, rounded once.
  std::span<const float> row(uint64_t row);

 private:
  const EncodedTensor& up_;
  std::vector<uint64_t> starts_;
  std::vector<float> down_;
  std::vector<float> weights_;
  std::vector<double> sums_;
  std::vector<float> values_;
};

/// The endings that pipeline and exports know the two factors of a weight by.
inline constexpr std::string_view kDownFactor = ".down";
inline constexpr std::string_view kUpFactor = ".up";

}  // namespace lathe
