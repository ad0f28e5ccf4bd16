#include "compress/program/rewrite.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <map>

#include "runtime/session.h"
#include "tests/formats/expect_error.h"

namespace lathe {
namespace {

using test::expect_error;

// y = relu(x W^T + b) of an input x that the caller gives.
Program one_layer(uint32_t in, uint32_t out) {
  Program program;
  const uint32_t x = program.add_value("x", RowKind::tokens, in);
  program.inputs = {x};
  const uint32_t w = program.add_weight("w");
  const uint32_t b = program.add_weight("b");
  const uint32_t y = program.add_value("y", RowKind::tokens, out);
  program.ops.push_back({ops::Linear{}, {x}, {w, b}, y});
  const uint32_t z = program.add_value("z", RowKind::tokens, out);
  program.ops.push_back({ops::Activation{ActivationFunction::relu}, {y}, {}, z});
  program.outputs = {z};
  return program;
}

std::vector<float> run(const Program& program, const std::map<std::string, std::vector<float>>& weights,
                       const std::map<std::string, Shape>& shapes, const std::vector<float>& x, size_t rows) {
  const Model model = Model::build(
      program,
      [&](const std::string& name) {
        EncodedTensor tensor{{}, shapes.at(name), {}};
        tensor.planes[0] = as_bytes_of(weights.at(name));
        return tensor;
      },
      "test");
  Session session(model, 1);
  TokenBatch batch;
  batch.add(std::vector<int32_t>(rows, 0));
  std::vector<float> out(rows * program.values[program.outputs[0]].shape.size());
  const float* const in[] = {x.data()};
  float* const outputs[] = {out.data()};
  session.run(batch, in, outputs);
  return out;
}

}  // namespace

TEST_CASE("a factored layer computes what the product of its factors does", "[compress][rewrite]") {
  const Program whole = one_layer(3, 2);
  Program factored = whole;
  factor_linear(factored, whole.ops[0].output, "w.up", "w.down", 1);
  const std::map<std::string, Shape> shapes = {{"w", {2, 3}}, {"b", {2}}, {"w.up", {2, 1}}, {"w.down", {1, 3}}};
  // [2, -1]^T [1, 3, 5], exact in f32
  const std::map<std::string, std::vector<float>> weights = {
      {"w", {2, 6, 10, -1, -3, -5}}, {"b", {0.5f, 40}}, {"w.up", {2, -1}}, {"w.down", {1, 3, 5}}};
  const std::vector<float> x = {1, 2, 3, -4, 5, 0.25f};
  const std::vector<float> expected = run(whole, weights, shapes, x, 2);
  CHECK(expected == std::vector<float>{44.5f, 18, 25, 27.75f});
  CHECK(run(factored, weights, shapes, x, 2) == expected);
}

TEST_CASE("a rewrite keeps the ids of values, the order of ops and the bias", "[compress][rewrite]") {
  const Program whole = one_layer(8, 6);
  Program factored = whole;
  factor_linear(factored, whole.ops[0].output, "w.up", "w.down", 2);
  const std::map<std::string, Shape> shapes = {{"b", {6}}, {"w.up", {6, 2}}, {"w.down", {2, 8}}};
  CHECK_NOTHROW(validate(
      factored, [&](const std::string& name) { return shapes.at(name); }, "test"));
  CHECK(factored.outputs == whole.outputs);
  CHECK(std::vector<Value>(factored.values.begin(), factored.values.begin() + 3) == whole.values);
  REQUIRE(factored.ops.size() == 3);
  CHECK(factored.ops[0].weights.size() == 1);
  CHECK(factored.values[factored.ops[0].output].shape.size() == 2);
  CHECK(factored.ops[1].output == whole.ops[0].output);
  CHECK(factored.ops[1].weights == whole.ops[0].weights);  // the first slot is renamed in place
  CHECK(factored.weights == std::vector<std::string>{"w.up", "b", "w.down"});
  CHECK(factored.ops[2] == whole.ops[1]);
}

TEST_CASE("the op that writes a value is found, or its absence is a bug", "[compress][rewrite]") {
  const Program program = one_layer(2, 2);
  CHECK(op_that_writes(program, program.ops[1].output) == 1);
  expect_error(Errc::internal, {"value 0"}, [&] { op_that_writes(program, program.inputs[0]); });
}

}  // namespace lathe
