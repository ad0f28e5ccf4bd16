// The gradient of every op against differences of the values themselves, in double.

#include <catch2/catch.hpp>

#include "tests/compress/training/torch/differences.h"
#include "tests/compress/training/torch/random_program.h"

namespace lathe::training {
namespace {

using test::check_gradients;
using test::random_tensor;
using test::RandomProgram;

const std::vector<size_t> kRagged = {3, 1, 5};
const std::vector<size_t> kEven = {4, 4};

// A program with given values instead of embeddings, and what is put into it.
struct Bench {
  RandomProgram random;
  std::vector<uint32_t> given;

  uint32_t input(uint32_t width, RowKind rows = RowKind::tokens) {
    given.push_back(random.program.add_value(message("x", given.size()), rows, width));
    return given.back();
  }

  // All inputs and weights are leaves; the loss is the output, weighted at random.
  void check(uint32_t output, const std::vector<size_t>& lengths, double away_from_zero = 0) {
    const TensorBatch batch = make_tensor_batch(test::random_batch(lengths, 7, 5), at::Device(at::kCPU));
    std::vector<at::Tensor> leaves;
    for (const uint32_t id : given) {
      const Value& value = random.program.values[id];
      const int64_t rows = value.rows == RowKind::tokens ? batch.tokens : batch.sequences;
      at::Tensor x = 2 * random_tensor({rows, value.shape.size()}, 100 + id, at::kDouble);
      leaves.push_back(x + away_from_zero * at::sign(x));
    }
    for (const at::Tensor& weight : random.tensors()) leaves.push_back(weight.to(at::kDouble));
    check_gradients(leaves, [&](const std::vector<at::Tensor>& at) {
      Values values;
      for (size_t i = 0; i < given.size(); ++i) values[given[i]] = at[i];
      const std::vector<at::Tensor> weights(at.begin() + static_cast<std::ptrdiff_t>(given.size()), at.end());
      const at::Tensor out = interpret(random.program, weights, batch, values, {output}).at(output);
      REQUIRE(out.scalar_type() == at::kDouble);
      return (out * random_tensor({out.size(0), out.size(1)}, 999, at::kDouble)).sum();
    });
  }
};

TEST_CASE("the gradient of an embedding is that of its rows", "[compress][torch][gradient]") {
  const auto stream = GENERATE(Stream::tokens, Stream::positions, Stream::segments);
  Bench bench;
  const uint32_t out = bench.random.embedding(stream, 7, 3);
  bench.check(out, kRagged);
}

TEST_CASE("the gradient of a linear layer agrees with differences", "[compress][torch][gradient]") {
  const bool bias = GENERATE(true, false);
  Bench bench;
  const uint32_t out = bench.random.linear(bench.input(4), 5, bias);
  bench.check(out, kRagged);
}

TEST_CASE("the gradient of a layer norm agrees with differences", "[compress][torch][gradient]") {
  Bench bench;
  const uint32_t out = bench.random.layer_norm(bench.input(6));
  bench.check(out, kRagged);
}

TEST_CASE("the gradient of attention agrees with differences, with padding and without",
          "[compress][torch][gradient]") {
  const std::vector<size_t>& lengths = GENERATE(true, false) ? kRagged : kEven;
  const uint32_t heads = GENERATE(1u, 2u);
  Bench bench;
  const uint32_t q = bench.input(4), k = bench.input(4), v = bench.input(4);
  bench.check(bench.random.attention(q, k, v, heads), lengths);
}

TEST_CASE("the gradient of every activation agrees with differences", "[compress][torch][gradient]") {
  const auto kind = static_cast<ActivationFunction>(GENERATE(range(0u, 5u)));
  CAPTURE(kActivations.name(kind));
  Bench bench;
  const uint32_t out = bench.random.activation(bench.input(8), kind);
  bench.check(out, kRagged, kind == ActivationFunction::relu ? 0.1 : 0);  // where relu bends there is no gradient
}

TEST_CASE("the gradient of a sum goes to both of its terms", "[compress][torch][gradient]") {
  Bench bench;
  const uint32_t a = bench.input(3), b = bench.input(3);
  bench.check(bench.random.add(a, b), kRagged);
  Bench twice;
  const uint32_t x = twice.input(3);
  twice.check(twice.random.add(x, x), kRagged);
}

TEST_CASE("the gradient of every pooling agrees with differences", "[compress][torch][gradient]") {
  const auto kind = static_cast<Pooling>(GENERATE(range(0u, 3u)));
  const std::vector<size_t>& lengths = GENERATE(true, false) ? kRagged : kEven;
  CAPTURE(kPoolings.name(kind));
  Bench bench;
  const uint32_t out = bench.random.pool(bench.input(5), kind);
  bench.check(out, lengths);
}

TEST_CASE("the gradient of a normalization agrees with differences", "[compress][torch][gradient]") {
  Bench bench;
  const uint32_t out = bench.random.normalize(bench.input(5, RowKind::sequences));
  bench.check(out, kRagged);
}

TEST_CASE("the gradient of an rms norm agrees with differences, of rows and of heads", "[compress][torch][gradient]") {
  const uint32_t heads = GENERATE(0u, 2u, 3u);
  Bench bench;
  const uint32_t out = bench.random.rms_norm(bench.input(6), heads);
  bench.check(out, kRagged);
}

TEST_CASE("the gradient of a product goes to both of its factors", "[compress][torch][gradient]") {
  Bench bench;
  const uint32_t a = bench.input(3), b = bench.input(3);
  bench.check(bench.random.multiply(a, b), kRagged);
  Bench square;
  const uint32_t x = square.input(3);
  square.check(square.random.multiply(x, x), kRagged);
}

TEST_CASE("the gradient of rope agrees with differences for both kinds of pairs", "[compress][torch][gradient]") {
  const auto kind = GENERATE(RopePairs::halves, RopePairs::neighbours);
  const uint32_t pairs = GENERATE(2u, 1u);  // all of a head, or a part of it
  Bench bench;
  const uint32_t out = bench.random.rope(bench.input(10), 2, pairs, kind);
  bench.check(out, kRagged);
}

TEST_CASE("the gradient of causal attention agrees with differences, with shared heads and windows",
          "[compress][torch][gradient]") {
  const std::vector<size_t>& lengths = GENERATE(true, false) ? kRagged : kEven;
  const auto [heads, kv_heads, window] =
      GENERATE(std::tuple{2u, 2u, 0u}, std::tuple{4u, 2u, 0u}, std::tuple{3u, 1u, 2u});
  CAPTURE(heads, kv_heads, window);
  Bench bench;
  const uint32_t q = bench.input(2 * heads), k = bench.input(2 * kv_heads), v = bench.input(2 * kv_heads);
  bench.check(bench.random.causal_attention(q, k, v, heads, kv_heads, window), lengths);
}

TEST_CASE("gradients reach every weight of a decoder", "[compress][torch][gradient]") {
  RandomProgram p;
  const uint32_t stream = p.embedding(Stream::tokens, 7, 8);
  const uint32_t x = p.rms_norm(stream);
  const uint32_t q = p.linear(x, 8), k = p.linear(x, 4, false), v = p.linear(x, 4);
  const uint32_t turned_q = p.rope(p.rms_norm(q, 2), 2, 2, RopePairs::halves);
  const uint32_t turned_k = p.rope(p.rms_norm(k, 1), 1, 2, RopePairs::halves);
  const uint32_t y = p.add(stream, p.linear(p.causal_attention(turned_q, turned_k, v, 2, 1, 3), 8, false));
  const uint32_t z = p.rms_norm(y);
  const uint32_t gated =
      p.multiply(p.activation(p.linear(z, 5, false), ActivationFunction::silu), p.linear(z, 5, false));
  const uint32_t last = p.rms_norm(p.add(y, p.linear(gated, 8, false)));
  const uint32_t table = p.program.ops[0].weights[0];
  Bench bench;
  const uint32_t out = p.op(ops::Linear{}, {last}, {table}, 7);  // a tied head
  bench.random = p;
  bench.check(out, kRagged);
}

TEST_CASE("gradients reach every weight of a whole program", "[compress][torch][gradient]") {
  RandomProgram p;
  const uint32_t x = p.layer_norm(p.add(p.embedding(Stream::tokens, 7, 6), p.embedding(Stream::positions, 5, 6)));
  const uint32_t q = p.linear(x, 6), k = p.linear(x, 6), v = p.linear(x, 6);
  const uint32_t y = p.layer_norm(p.add(x, p.linear(p.attention(q, k, v, 2), 6)));
  const uint32_t z = p.add(y, p.linear(p.activation(p.linear(y, 9), ActivationFunction::gelu), 6));
  Bench bench;
  const uint32_t out = p.normalize(p.pool(z, Pooling::mean));
  bench.random = p;
  bench.check(out, kRagged);
}

}  // namespace
}  // namespace lathe::training
