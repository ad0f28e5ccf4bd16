// The weights of a student while it trains, and what is stored in the end.

#include "compress/training/torch/trainable.h"

#include <catch2/catch.hpp>

#include "tests/compress/training/torch/encoded_weights.h"
#include "tests/compress/training/torch/random_program.h"

namespace lathe::training {
namespace {

using test::encoded_weight;
using test::kTrainedEncodings;
using test::random_tensor;
using test::same_planes;

const at::Device kCpu(at::kCPU);
constexpr uint32_t kWidth = 40;

// A table, a linear layer in the encoding with a bias, and a norm: w0, w1 (linear), w2, w3 and w4.
TrainableModel model_in(const Encoding& encoding, uint64_t seed = 1) {
  test::RandomProgram p;
  p.seed = seed;
  const uint32_t x = p.linear(p.embedding(Stream::tokens, 11, kWidth), 24);
  p.program.outputs = {p.layer_norm(x)};
  p.weights["w1"] = encoded_weight(encoding, 24, kWidth, seed);
  return {p.program, p.weights};
}

TrainableWeights::Choice choice_of(Trainable trainable, bool masked = true) {
  TrainableWeights::Choice choice;
  choice.trainable = trainable;
  choice.adapter_rank = 4;
  choice.seed = 9;
  if (masked) choice.masked = {"w1"};
  return choice;
}

// A few steps with random gradients, as large as the weights.
void move(TrainableWeights& weights, ThreadPool& pool, uint64_t steps, double rate = 0.01) {
  for (uint64_t number = 1; number <= steps; ++number) {
    std::vector<at::Tensor> gradients;
    for (const uint32_t weight : weights.trained()) {
      gradients.push_back(random_tensor(weights.effective()[weight].sizes().vec(), 100 * number + weight));
    }
    weights.set_gradients(gradients, pool);
    for (Parameter& parameter : weights.parameters()) {
      AdamWStep step;
      step.rate = rate;
      step.number = number;
      adamw_step(parameter, step);
    }
    weights.refresh(pool);
  }
}

TEST_CASE("weights that did not move are stored as they were", "[compress][torch][trainable]") {
  const auto trainable = GENERATE(Trainable::all, Trainable::norms, Trainable::adapters);
  ThreadPool pool(1);
  for (const Encoding& encoding : kTrainedEncodings) {
    CAPTURE(encoding_name(encoding), static_cast<int>(trainable));
    const TrainableModel before = model_in(encoding);
    TrainableModel after = before;
    const TrainableWeights weights(before, choice_of(trainable), kCpu, pool);
    for (size_t i = 0; i < before.program.weights.size(); ++i) {
      CHECK(weights.effective()[i].equal(decoded(before.weights.at(before.program.weights[i]).view(), kCpu)));
    }
    weights.store(after);
    for (const auto& [name, weight] : before.weights) CHECK(same_planes(weight, after.weights.at(name)));
  }
}

TEST_CASE("the stored weights are those that the program computed with", "[compress][torch][trainable]") {
  const auto trainable = GENERATE(Trainable::all, Trainable::norms, Trainable::adapters);
  ThreadPool pool(2);
  for (const Encoding& encoding : kTrainedEncodings) {
    CAPTURE(encoding_name(encoding), static_cast<int>(trainable));
    const TrainableModel before = model_in(encoding, 2);
    TrainableModel after = before;
    TrainableWeights weights(before, choice_of(trainable), kCpu, pool);
    move(weights, pool, 5);
    weights.store(after);
    for (size_t i = 0; i < before.program.weights.size(); ++i) {
      const EncodedBuffer& stored = after.weights.at(before.program.weights[i]);
      CHECK_NOTHROW(validate(stored.view(), "w"));
      CHECK(stored.encoding == before.weights.at(before.program.weights[i]).encoding);
      const at::Tensor value = decoded(stored.view(), kCpu);
      const bool integer = value_codec(stored.encoding.values).integer;
      const bool f32 = stored.encoding.values == ValueType::f32;
      if (integer || f32) CHECK(value.equal(weights.effective()[i]));
      CHECK(at::allclose(value, weights.effective()[i], 0.004, 1e-6));  // f16 and bf16 are rounded in the end
    }
  }
}

TEST_CASE("each mode changes what it may and nothing else", "[compress][torch][trainable]") {
  const auto trainable = GENERATE(Trainable::all, Trainable::norms, Trainable::adapters);
  ThreadPool pool(1);
  const TrainableModel before = model_in({ValueType::int8, Sparsity::bitmask, 0});
  TrainableModel after = before;
  TrainableWeights weights(before, choice_of(trainable), kCpu, pool);
  move(weights, pool, 5);
  weights.store(after);
  const auto changed = [&](const char* name) { return !same_planes(before.weights.at(name), after.weights.at(name)); };
  CHECK(changed("w0") == (trainable == Trainable::all));    // the table
  CHECK(changed("w1") == (trainable != Trainable::norms));  // the matrix
  CHECK(changed("w2"));                                     // bias and norm
  CHECK(changed("w3"));
  CHECK(changed("w4"));
  uint64_t numbers = 24 * 3;
  if (trainable == Trainable::all) numbers += 24 * kWidth + 24 + 11 * kWidth;
  if (trainable == Trainable::adapters) numbers += 4 * (24 + kWidth) + 24;
  CHECK(weights.trained_numbers() == numbers);
}

TEST_CASE("masked weights stay zero and the others need not", "[compress][torch][trainable]") {
  const auto trainable = GENERATE(Trainable::all, Trainable::adapters);
  ThreadPool pool(1);
  for (const Encoding& encoding : kTrainedEncodings) {
    if (encoding.sparsity == Sparsity::dense) continue;
    CAPTURE(encoding_name(encoding));
    const TrainableModel before = model_in(encoding, 3);
    const at::Tensor zeros = decoded(before.weights.at("w1").view(), kCpu) == 0;
    REQUIRE(zeros.sum().item<int64_t>() >= 12 * kWidth);
    for (const bool masked : {true, false}) {
      TrainableModel after = before;
      TrainableWeights weights(before, choice_of(trainable, masked), kCpu, pool);
      CHECK(weights.masks().contains("w1") == masked);
      move(weights, pool, 8);
      weights.store(after);
      const at::Tensor now = decoded(after.weights.at("w1").view(), kCpu);
      CHECK((now.masked_select(zeros).abs().max().item<float>() == 0) == masked);
      CHECK_FALSE(now.equal(decoded(before.weights.at("w1").view(), kCpu)));
    }
  }
}

TEST_CASE("pruning to a sparsity keeps exactly the largest weights, and the others stay zero",
          "[compress][torch][trainable]") {
  ThreadPool pool(1);
  TrainableModel model = model_in({ValueType::f32, Sparsity::dense, 0}, 4);
  TrainableWeights weights(model, choice_of(Trainable::all, false), kCpu, pool);
  at::Tensor gone = at::zeros({24, kWidth}, at::kBool);
  for (const double share : {0.0, 0.3, 0.301, 0.75}) {
    const at::Tensor before = weights.effective()[1].abs();
    weights.prune_to("w1", share);
    weights.refresh(pool);
    const at::Tensor now = weights.effective()[1];
    const at::Tensor zero = now == 0;
    CHECK(zero.sum().item<int64_t>() == std::llround(share * 24 * kWidth));
    CHECK(at::logical_or(zero, at::logical_not(gone)).all().item<bool>());
    if (share > 0) {
      const float largest_gone = before.masked_select(zero).max().item<float>();
      CHECK(largest_gone <= before.masked_select(at::logical_not(zero)).min().item<float>());
    }
    gone = zero;
    move(weights, pool, 3);
    CHECK((weights.effective()[1] == 0).equal(gone));
  }
  weights.store(model);
  CHECK(count_zeros(model.weights.at("w1").view()) == 18 * kWidth);
}

TEST_CASE("a mask can be copied from one run to another", "[compress][torch][trainable]") {
  ThreadPool pool(1);
  const TrainableModel model = model_in({ValueType::f32, Sparsity::dense, 0}, 5);
  TrainableWeights one(model, choice_of(Trainable::all, false), kCpu, pool);
  one.prune_to("w1", 0.4);
  TrainableWeights other(model, choice_of(Trainable::all, false), kCpu, pool);
  for (const auto& [name, mask] : one.masks()) other.set_mask(name, mask);
  one.refresh(pool);
  other.refresh(pool);
  CHECK(one.effective()[1].equal(other.effective()[1]));
  CHECK(other.masks().at("w1").equal(one.masks().at("w1")));
}

TEST_CASE("only the weights that were asked for are defined", "[compress][torch][trainable]") {
  ThreadPool pool(1);
  const TrainableModel before = model_in({ValueType::int8, Sparsity::dense, 0}, 6);
  TrainableWeights::Choice choice;
  choice.only = std::set<std::string>{"w1", "w2"};
  TrainableWeights weights(before, choice, kCpu, pool);
  CHECK(weights.trained() == std::vector<uint32_t>{1, 2});
  CHECK_FALSE(weights.effective()[0].defined());
  CHECK_FALSE(weights.effective()[4].defined());
}

TEST_CASE("an adapter's gradient is that of its factors", "[compress][torch][trainable]") {
  ThreadPool pool(1);
  const TrainableModel model = model_in({ValueType::f32, Sparsity::bitmask, 0}, 7);
  TrainableWeights weights(model, choice_of(Trainable::adapters), kCpu, pool);
  move(weights, pool, 2);
  std::vector<at::Tensor> gradients;
  for (const uint32_t weight : weights.trained()) {
    gradients.push_back(random_tensor(weights.effective()[weight].sizes().vec(), weight));
  }
  weights.set_gradients(gradients, pool);
  const at::Tensor mask = weights.masks().at("w1").to(at::kFloat);
  const at::Tensor at_weight = gradients[0] * mask;  // of w1, the first that trains
  REQUIRE(weights.trained()[0] == 1);
  const auto find = [&](const std::string& name) -> const Parameter& {
    for (const Parameter& parameter : weights.parameters()) {
      if (parameter.name == name) return parameter;
    }
    throw std::runtime_error("no " + name);
  };
  CHECK(at::allclose(find("w1:up").gradient, at_weight.matmul(find("w1:down").value.t()), 1e-5, 1e-6));
  CHECK(at::allclose(find("w1:down").gradient, find("w1:up").value.t().matmul(at_weight), 1e-5, 1e-6));
  CHECK(find("w1:up").value.size(1) == 4);
}

}  // namespace
}  // namespace lathe::training
