#include "compress/methods/prune.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "compress/methods/layer.h"
#include "formats/artifact/error.h"

namespace lathe {

uint64_t pruned_count(double sparsity, uint64_t weights) {
  if (!(sparsity >= 0 && sparsity <= 1)) {
    fail(Errc::usage, message("sparsity is ", sparsity, ", must be in [0, 1]"));
  }
  return std::min(weights, static_cast<uint64_t>(std::llround(sparsity * static_cast<double>(weights))));
}

void drop_smallest(const std::vector<float>& scores, uint64_t count, uint8_t* keep) {
  if (count == 0) return;
  const auto score = [&](size_t i) {
    return std::isnan(scores[i]) ? std::numeric_limits<float>::infinity() : scores[i];
  };
  std::vector<float> sorted(scores.size());
  for (size_t i = 0; i < scores.size(); ++i) sorted[i] = score(i);
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<ptrdiff_t>(count - 1), sorted.end());
  const float threshold = sorted[count - 1];
  uint64_t left = count;
  for (size_t i = 0; i < scores.size(); ++i) {
    if (score(i) < threshold) {
      keep[i] = 0;
      --left;
    }
  }
  for (size_t i = 0; i < scores.size() && left > 0; ++i) {
    if (score(i) == threshold) {
      keep[i] = 0;
      --left;
    }
  }
}

Mask magnitude_mask(const Matrix& weight, double sparsity) {
  Mask keep(weight.values.size(), 1);
  std::vector<float> scores(weight.values.size());
  std::transform(weight.values.begin(), weight.values.end(), scores.begin(), [](float w) { return std::abs(w); });
  drop_smallest(scores, pruned_count(sparsity, scores.size()), keep.data());
  return keep;
}

std::vector<std::vector<bool>> global_magnitude_masks(const std::vector<const Matrix*>& weights, double sparsity) {
  std::vector<float> scores;
  for (const Matrix* weight : weights) {
    std::transform(weight->values.begin(), weight->values.end(), std::back_inserter(scores),
                   [](float w) { return std::abs(w); });
  }
  Mask keep(scores.size(), 1);
  drop_smallest(scores, pruned_count(sparsity, scores.size()), keep.data());
  std::vector<std::vector<bool>> masks;
  auto next = keep.begin();
  for (const Matrix* weight : weights) {
    const auto end = next + static_cast<ptrdiff_t>(weight->values.size());
    masks.emplace_back(next, end);
    next = end;
  }
  return masks;
}

}  // namespace lathe
