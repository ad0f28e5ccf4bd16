#include "compress/training/torch/adamw.h"

#include <cmath>

namespace lathe::training {
namespace {

constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.99;  // runs are short
constexpr double kEpsilon = 1e-10;

}  // namespace

Parameter make_parameter(std::string name, at::Tensor value, double rate, bool decays) {
  Parameter parameter{std::move(name), std::move(value), {}, {}, {}, rate, decays};
  parameter.first = at::zeros_like(parameter.value);
  parameter.second = at::zeros_like(parameter.value);
  return parameter;
}

void adamw_step(Parameter& parameter, const AdamWStep& step) {
  if (!parameter.gradient.defined()) return;
  const at::NoGradGuard no_gradients;
  const auto number = static_cast<double>(step.number);
  const double rate = step.rate * parameter.rate;
  const at::Tensor gradient = parameter.gradient * step.gradient_scale;
  parameter.first.mul_(kBeta1).add_(gradient, 1 - kBeta1);
  parameter.second.mul_(kBeta2).addcmul_(gradient, gradient, 1 - kBeta2);
  const double first_bias = 1 - std::pow(kBeta1, number);
  const double second_bias = 1 - std::pow(kBeta2, number);
  if (parameter.decays && step.weight_decay > 0) parameter.value.mul_(1 - rate * step.weight_decay);
  const at::Tensor spread = parameter.second.div(second_bias).sqrt_().add_(kEpsilon);
  parameter.value.addcdiv_(parameter.first, spread, -rate / first_bias);
}

double clip_scale(const std::vector<Parameter>& parameters, double limit) {
  if (limit <= 0) return 1;
  double squares = 0;
  for (const Parameter& parameter : parameters) {
    if (parameter.gradient.defined()) squares += std::pow(parameter.gradient.norm().item<double>(), 2);
  }
  const double norm = std::sqrt(squares);
  return norm > limit ? limit / norm : 1;
}

}  // namespace lathe::training
