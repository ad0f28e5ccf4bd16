#pragma once
// Gradients against central differences.

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <vector>

#include "compress/training/torch/tensors.h"

namespace lathe::test {

/// Every gradient of `loss`, a scalar in double, by every element of `leaves` is what moving that element gives.
inline void check_gradients(std::vector<at::Tensor> leaves,
                            const std::function<at::Tensor(const std::vector<at::Tensor>&)>& loss) {
  constexpr double kStep = 1e-5;
  for (at::Tensor& leaf : leaves) leaf = leaf.detach().clone().requires_grad_(true);
  const at::AutoGradMode mode(true);
  const at::Tensor value = loss(leaves);
  REQUIRE(value.scalar_type() == at::kDouble);
  const auto gradients = torch::autograd::grad({value}, leaves);
  const at::NoGradGuard no_gradients;
  for (size_t i = 0; i < leaves.size(); ++i) {
    REQUIRE(gradients[i].defined());
    const at::Tensor analytic = gradients[i].contiguous();
    const at::Tensor plain = leaves[i].detach();
    auto* numbers = plain.data_ptr<double>();
    const double size = analytic.abs().max().item<double>();
    CHECK(std::isfinite(size));
    double worst = 0;
    for (int64_t j = 0; j < plain.numel(); ++j) {
      const double before = numbers[j];
      numbers[j] = before + kStep;
      const double above = loss(leaves).item<double>();
      numbers[j] = before - kStep;
      const double below = loss(leaves).item<double>();
      numbers[j] = before;
      worst = std::max(worst, std::abs((above - below) / (2 * kStep) - analytic.data_ptr<double>()[j]));
    }
    CAPTURE(i, size, worst);
    CHECK(worst <= 1e-6 * std::max(size, 0.1));
  }
}

}  // namespace lathe::test
