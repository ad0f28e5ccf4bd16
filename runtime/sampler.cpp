#include <algorithm>
#include <cmath>

#include "runtime/generation.h"

namespace lathe {
namespace {

// More probable tokens come first; of equally probable ones, the lower id.
bool before(const std::pair<float, int32_t>& a, const std::pair<float, int32_t>& b) {
  return a.first != b.first ? a.first > b.first : a.second < b.second;
}

}  // namespace

void validate(const Sampling& sampling) {
  if (!(sampling.temperature >= 0 && sampling.temperature <= 100)) {
    fail(Errc::usage, message("temperature is ", sampling.temperature, ", must be in [0, 100]"));
  }
  if (!(sampling.top_p > 0 && sampling.top_p <= 1)) {
    fail(Errc::usage, message("top-p is ", sampling.top_p, ", must be in (0, 1]"));
  }
}

Sampler::Sampler(const Sampling& sampling, uint64_t stream)
    : sampling_(sampling), random_(Random(sampling.seed).next() ^ (stream * 0x9e3779b97f4a7c15u)) {
  validate(sampling);
}

int32_t Sampler::draw(std::span<const float> logits) {
  if (sampling_.temperature == 0 || sampling_.top_k == 1) {
    return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  }
  candidates_.clear();
  for (size_t i = 0; i < logits.size(); ++i) candidates_.emplace_back(logits[i], static_cast<int32_t>(i));
  const size_t kept = sampling_.top_k == 0 ? candidates_.size() : std::min<size_t>(sampling_.top_k, candidates_.size());
  std::partial_sort(candidates_.begin(), candidates_.begin() + static_cast<std::ptrdiff_t>(kept), candidates_.end(),
                    before);
  candidates_.resize(kept);
  const double top = candidates_[0].first;
  double total = 0;
  std::vector<double> weights(kept);
  for (size_t i = 0; i < kept; ++i) {
    weights[i] = std::exp((candidates_[i].first - top) / sampling_.temperature);
    total += weights[i];
  }
  size_t count = 0;
  double mass = 0;
  while (count < kept && (count == 0 || mass < sampling_.top_p * total)) mass += weights[count++];
  double left = random_.uniform() * mass;
  size_t chosen = 0;
  while (chosen + 1 < count && left >= weights[chosen]) left -= weights[chosen++];
  return candidates_[chosen].second;
}

}  // namespace lathe
