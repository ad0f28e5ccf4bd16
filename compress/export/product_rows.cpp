#include "compress/export/product_rows.h"

#include <algorithm>

namespace lathe {

ProductRows::ProductRows(const EncodedTensor& up, const EncodedTensor& down)
    : up_(up),
      starts_(row_starts(up)),
      down_(decode(down)),
      weights_(up.cols()),
      sums_(down.cols()),
      values_(down.cols()) {}

std::span<const float> ProductRows::row(uint64_t row) {
  decode_row(up_, row, starts_[row], weights_.data());
  std::fill(sums_.begin(), sums_.end(), 0.0);
  for (size_t rank = 0; rank < weights_.size(); ++rank) {
    const float* from = down_.data() + rank * sums_.size();
    for (size_t i = 0; i < sums_.size(); ++i) sums_[i] += static_cast<double>(weights_[rank]) * from[i];
  }
  std::transform(sums_.begin(), sums_.end(), values_.begin(), [](double sum) { return static_cast<float>(sum); });
  return values_;
}

}  // namespace lathe
