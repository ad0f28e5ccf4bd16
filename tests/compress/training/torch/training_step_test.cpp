// Losses and gradients over shards, and the step that the optimizer takes with them.

#include "compress/training/torch/training_step.h"

#include <catch2/catch.hpp>
#include <numeric>

#include "tests/compress/training/torch/random_program.h"

namespace lathe::training {
namespace {

using test::random_tensor;

constexpr uint32_t kSequences = 24;
constexpr int64_t kWidth = 5;

// A student with a table, which the loss does not read, and two vectors. The loss of sequence s is made of the products
// of its own random factors with both vectors, and its measure is s.
struct Bench {
  TrainableModel model;
  ThreadPool pool;
  TrainableWeights weights;
  at::Tensor factors = random_tensor({kSequences, kWidth}, 3);

  explicit Bench(size_t threads = 1)
      : model(student()), pool(threads), weights(model, {}, at::Device(at::kCPU), pool) {}

  static TrainableModel student() {
    test::RandomProgram random;
    const uint32_t x = random.embedding(Stream::tokens, 4, kWidth);
    random.program.outputs = {random.layer_norm(x)};  // scale and shift are the vectors
    return {random.program, random.weights};
  }
  ShardLoss loss() const {
    return [this](const Shard& shard, const std::vector<at::Tensor>& used) {
      std::vector<int64_t> rows(shard.begin(), shard.end());
      const at::Tensor own = factors.index_select(0, at::tensor(rows, at::kLong));
      const at::Tensor each = at::matmul(own, used[1]) + at::matmul(own, used[2]).square();
      return BatchLoss{each.mean(),
                       at::scalar_tensor(static_cast<double>(std::accumulate(rows.begin(), rows.end(), 0)))};
    };
  }
  // The loss of all sequences at once, as a tensor with gradients.
  at::Tensor whole(const at::Tensor& first, const at::Tensor& second) const {
    return (at::matmul(factors, first) + at::matmul(factors, second).square()).mean();
  }
};

// All sequences in `count` shards, the last of which takes what is left.
std::vector<Shard> shards_of(size_t count) {
  std::vector<Shard> shards(count);
  for (uint32_t s = 0; s < kSequences; ++s) shards[std::min<size_t>(s / 5, count - 1)].push_back(s);
  return shards;
}

TEST_CASE("loss and measure are means over all sequences, however they are divided", "[compress][torch][step]") {
  const Bench bench;
  ThreadPool pool(1);
  const double wanted = bench.whole(bench.weights.effective()[1], bench.weights.effective()[2]).item<double>();
  for (const size_t count : {1, 2, 4}) {
    CAPTURE(count);
    const LossAndMeasure got = evaluate(bench.loss(), bench.weights, shards_of(count), pool);
    CHECK(got.loss == Approx(wanted).epsilon(1e-5));
    CHECK(got.measure == Approx((kSequences - 1) / 2.0));
  }
}

TEST_CASE("a loss without a measure has a measure of zero", "[compress][torch][step]") {
  Bench bench;
  const auto loss = [&](const Shard& shard, const std::vector<at::Tensor>& used) {
    return BatchLoss{bench.loss()(shard, used).loss, {}};
  };
  CHECK(evaluate(loss, bench.weights, shards_of(2), bench.pool).measure == 0);
}

TEST_CASE("gradients of shards add up to that of the whole", "[compress][torch][step]") {
  Bench bench;
  const at::Tensor first = bench.weights.effective()[1].clone().requires_grad_(true);
  const at::Tensor second = bench.weights.effective()[2].clone().requires_grad_(true);
  const auto wanted = torch::autograd::grad({bench.whole(first, second)}, {first, second});
  for (const size_t count : {1, 4}) {
    CAPTURE(count);
    const LossAndGradients got = loss_and_gradients(bench.loss(), bench.weights, shards_of(count), bench.pool);
    CHECK(got.loss == Approx(evaluate(bench.loss(), bench.weights, shards_of(count), bench.pool).loss));
    REQUIRE(got.gradients.size() == bench.weights.trained().size());
    CHECK_FALSE(got.gradients[0].defined());  // of the table
    CHECK(at::allclose(got.gradients[1], wanted[0], 1e-5, 1e-6));
    CHECK(at::allclose(got.gradients[2], wanted[1], 1e-5, 1e-6));
  }
}

TEST_CASE("threads change no bit of loss and gradients", "[compress][torch][step]") {
  Bench one(1), three(3);
  const LossAndGradients a = loss_and_gradients(one.loss(), one.weights, shards_of(5), one.pool);
  const LossAndGradients b = loss_and_gradients(three.loss(), three.weights, shards_of(5), three.pool);
  CHECK(a.loss == b.loss);
  CHECK(a.gradients[1].equal(b.gradients[1]));
  CHECK(a.gradients[2].equal(b.gradients[2]));
  CHECK(evaluate(one.loss(), one.weights, shards_of(5), one.pool).loss ==
        evaluate(three.loss(), three.weights, shards_of(5), three.pool).loss);
}

TEST_CASE("a step of the optimizer moves what has a gradient, which it clips", "[compress][torch][step]") {
  Bench clipped, scaled;
  std::vector<at::Tensor> gradients(clipped.weights.trained().size());
  gradients[1] = at::full({kWidth}, 2.0f);
  gradients[2] = at::full({kWidth}, -1.0f);
  const double norm = std::sqrt(5.0 * kWidth);
  std::vector<at::Tensor> before;
  for (const at::Tensor& weight : clipped.weights.effective()) before.push_back(weight.clone());
  AdamWStep step;
  step.rate = 0.1;
  optimizer_step(clipped.weights, gradients, step, norm / 4, clipped.pool);
  CHECK(clipped.weights.effective()[0].equal(before[0]));
  CHECK_FALSE(clipped.weights.effective()[1].equal(before[1]));
  CHECK(clipped.weights.parameters()[1].first.max().item<double>() == Approx(0.1 * 2 / 4));
  // The same as with smaller gradients and no limit.
  for (at::Tensor& gradient : gradients) {
    if (gradient.defined()) gradient = gradient / 4;
  }
  optimizer_step(scaled.weights, gradients, step, 0, scaled.pool);
  CHECK(at::allclose(scaled.weights.effective()[1], clipped.weights.effective()[1], 1e-6, 1e-7));
  CHECK(at::allclose(scaled.weights.effective()[2], clipped.weights.effective()[2], 1e-6, 1e-7));
}

TEST_CASE("a gradient of an earlier step is not used again", "[compress][torch][step]") {
  Bench bench;
  std::vector<at::Tensor> gradients(bench.weights.trained().size());
  gradients[1] = at::ones({kWidth});
  optimizer_step(bench.weights, gradients, {0.1, 0, 1, 1}, 0, bench.pool);
  const at::Tensor moments = bench.weights.parameters()[1].first.clone();
  gradients[1].reset();
  gradients[2] = at::ones({kWidth});
  optimizer_step(bench.weights, gradients, {0.1, 0, 1, 2}, 0, bench.pool);
  CHECK(bench.weights.parameters()[1].first.equal(moments));
}

TEST_CASE("the threads of a job are those of the CPU", "[compress][torch][step]") {
  TrainingJob job;
  job.threads = 5;
  CHECK(training_threads(job, at::Device(at::kCPU)) == 5);
  CHECK(training_threads(job, at::Device(at::kCUDA, 0)) == 1);
  job.threads = 0;
  CHECK(training_threads(job, at::Device(at::kCPU)) == available_cores());
}

}  // namespace
}  // namespace lathe::training
