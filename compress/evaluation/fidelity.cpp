#include "compress/evaluation/fidelity.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "formats/artifact/error.h"

namespace lathe {

FidelityResult fidelity(const std::vector<float>& original, const std::vector<float>& compressed, size_t dimension,
                        bool classifies) {
  if (original.size() != compressed.size() || original.empty() || original.size() % dimension != 0) {
    fail(Errc::usage, message("embeddings of ", original.size(), " and ", compressed.size(),
                              " numbers are not as many rows of ", dimension));
  }
  check_finite_outputs(original, dimension);
  check_finite_outputs(compressed, dimension);
  std::vector<double> cosines;
  uint64_t same_label = 0;
  for (size_t at = 0; at < original.size(); at += dimension) {
    cosines.push_back(cosine(&original[at], &compressed[at], dimension));
    same_label += largest(&original[at], dimension) == largest(&compressed[at], dimension) ? 1 : 0;
  }
  std::sort(cosines.begin(), cosines.end());
  const size_t texts = cosines.size();
  const double sum = std::accumulate(cosines.begin(), cosines.end(), 0.0);
  const auto fifth = static_cast<size_t>(std::ceil(0.05 * static_cast<double>(texts))) - 1;
  FidelityResult result{texts, sum / static_cast<double>(texts), cosines.front(), cosines[fifth], std::nullopt};
  if (classifies) result.agreement = static_cast<double>(same_label) / static_cast<double>(texts);
  return result;
}

double cosine(const float* a, const float* b, size_t dimension) {
  double product = 0, a_squares = 0, b_squares = 0;
  for (size_t i = 0; i < dimension; ++i) {
    product += static_cast<double>(a[i]) * b[i];
    a_squares += static_cast<double>(a[i]) * a[i];
    b_squares += static_cast<double>(b[i]) * b[i];
  }
  if (a_squares == 0 && b_squares == 0) return 1;
  if (a_squares == 0 || b_squares == 0) return 0;
  return std::clamp(product / std::sqrt(a_squares * b_squares), -1.0, 1.0);
}

size_t largest(const float* values, size_t count) {
  return static_cast<size_t>(std::max_element(values, values + count) - values);
}

void check_finite_outputs(const std::vector<float>& outputs, size_t dimension) {
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!std::isfinite(outputs[i])) {
      fail(Errc::malformed, message("embedding of text ", i / dimension, ": element ", i % dimension,
                                    " is not finite: the weights overflow"));
    }
  }
}

}  // namespace lathe
