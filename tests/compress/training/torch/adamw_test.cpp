// The optimizer against its definition, number by number.

#include "compress/training/torch/adamw.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "tests/compress/training/torch/random_program.h"

namespace lathe::training {
namespace {

using test::random_tensor;

// One number and its moments, in double.
struct Plain {
  double value = 0, first = 0, second = 0;
  void step(double gradient, double rate, double decay, double number) {
    first = 0.9 * first + 0.1 * gradient;
    second = 0.99 * second + 0.01 * gradient * gradient;
    value -= rate * decay * value;
    const double mean = first / (1 - std::pow(0.9, number));
    const double spread = std::sqrt(second / (1 - std::pow(0.99, number)));
    value -= rate * mean / (spread + 1e-10);
  }
};

TEST_CASE("steps of the optimizer equal its definition", "[compress][torch][adamw]") {
  const bool decays = GENERATE(false, true);
  const double own_rate = GENERATE(1.0, 5.0);
  const at::Tensor start = random_tensor({5, 3}, 1);
  Parameter parameter = make_parameter("w", start.clone(), own_rate, decays);
  std::vector<Plain> plain(15);
  for (size_t i = 0; i < 15; ++i) plain[i].value = start.data_ptr<float>()[i];
  for (uint64_t number = 1; number <= 6; ++number) {
    // The sizes differ by a million: the optimizer does not care.
    const at::Tensor gradient = random_tensor({5, 3}, 10 + number) * std::pow(10.0, static_cast<double>(number) - 3);
    parameter.gradient = gradient.clone();
    AdamWStep step;
    step.rate = 0.01 * static_cast<double>(number);
    step.weight_decay = 0.1;
    step.gradient_scale = 0.5;
    step.number = number;
    adamw_step(parameter, step);
    CHECK(parameter.gradient.equal(gradient));
    for (size_t i = 0; i < 15; ++i) {
      plain[i].step(0.5 * gradient.data_ptr<float>()[i], step.rate * own_rate, decays ? 0.1 : 0,
                    static_cast<double>(number));
      REQUIRE(parameter.value.data_ptr<float>()[i] == Approx(plain[i].value).epsilon(1e-5).margin(1e-6));
    }
  }
}

TEST_CASE("what has no gradient does not move", "[compress][torch][adamw]") {
  Parameter parameter = make_parameter("w", random_tensor({4}, 1), 1, true);
  const at::Tensor before = parameter.value.clone();
  AdamWStep step;
  step.rate = 1;
  step.weight_decay = 0.5;
  adamw_step(parameter, step);
  CHECK(parameter.value.equal(before));
}

TEST_CASE("gradients are clipped by the norm of all of them", "[compress][torch][adamw]") {
  std::vector<Parameter> parameters = {make_parameter("a", at::zeros({2})), make_parameter("b", at::zeros({1})),
                                       make_parameter("c", at::zeros({9}))};
  CHECK(clip_scale(parameters, 1) == 1);
  parameters[0].gradient = at::tensor(std::vector<float>{3, 0});
  parameters[1].gradient = at::tensor(std::vector<float>{-4});
  CHECK(clip_scale(parameters, 1) == Approx(0.2));
  CHECK(clip_scale(parameters, 5) == 1);
  CHECK(clip_scale(parameters, 10) == 1);
  CHECK(clip_scale(parameters, 0) == 1);
}

}  // namespace
}  // namespace lathe::training
