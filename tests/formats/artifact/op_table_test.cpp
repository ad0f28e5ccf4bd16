#include "formats/artifact/op_table.h"

#include <catch2/catch.hpp>
#include <map>

namespace lathe {
namespace {

// One op of a kind over inputs of some width, with the shapes of its weights.
struct OneOp {
  Program program;
  std::map<std::string, Shape> shapes;

  OneOp(const Attributes& attributes, const std::vector<RowShape>& inputs, const std::vector<Shape>& weights,
        const RowShape& output, RowKind output_rows = RowKind::tokens) {
    Op op;
    op.attributes = attributes;
    for (const RowShape& shape : inputs) {
      const std::string name = "in" + std::to_string(op.inputs.size());
      op.inputs.push_back(program.add_value(name, RowKind::tokens, shape));
      program.inputs.push_back(op.inputs.back());
    }
    for (const Shape& shape : weights) {
      const std::string name = "w" + std::to_string(op.weights.size());
      op.weights.push_back(program.add_weight(name));
      shapes[name] = shape;
    }
    op.output = program.add_value("out", output_rows, output);
    program.outputs = {op.output};
    program.ops.push_back(op);
  }

  Value& value(const std::string& name) {
    for (Value& each : program.values) {
      if (each.name == name) return each;
    }
    FAIL("no value " + name);
    return program.values[0];
  }
  void check() const {
    validate(
        program, [&](const std::string& name) { return shapes.at(name); }, "f");
  }
  void refused(const std::string& part) const { CHECK_THROWS_WITH(check(), Catch::Contains(part)); }
};

ops::Attention causal(uint32_t heads, uint32_t kv_heads, uint32_t window = 0) {
  return {AttentionMask::causal, heads, kv_heads, window};
}
ops::Attention full(uint32_t heads) { return {AttentionMask::full, heads, heads, 0}; }

// A valid op of every kind, by its name.
std::vector<std::pair<std::string, OneOp>> one_of_each() {
  return {{"embedding", OneOp(ops::Embedding{}, {}, {{10, 8}}, 8)},
          {"linear", OneOp(ops::Linear{}, {8}, {{4, 8}, {4}}, 4)},
          {"layer_norm", OneOp(ops::LayerNorm{1e-5f}, {8}, {{8}, {8}}, 8)},
          {"attention", OneOp(causal(4, 2, 3), {8, 4, 4}, {}, 8)},
          {"activation", OneOp(ops::Activation{ActivationFunction::silu}, {RowShape(2, 2, 2)}, {}, RowShape(2, 2, 2))},
          {"add", OneOp(ops::Add{}, {8, 8}, {}, 8)},
          {"pool", OneOp(ops::Pool{Pooling::max}, {8}, {}, 8, RowKind::sequences)},
          {"normalize", OneOp(ops::Normalize{1e-12f}, {8}, {}, 8)},
          {"rms_norm", OneOp(ops::RmsNorm{1e-5f, 2}, {8}, {{4}}, 8)},
          {"multiply", OneOp(ops::Multiply{}, {8, 8}, {}, 8)},
          {"rope", OneOp(ops::Rope{RopePairs::neighbours, 2}, {8}, {{2}}, 8)}};
}

}  // namespace

TEST_CASE("every kind of op has its number, its name and a rule that a good op keeps", "[formats][ops]") {
  const auto each = one_of_each();
  REQUIRE(each.size() == kOpKinds);
  for (size_t kind = 0; kind < kOpKinds; ++kind) {
    CAPTURE(kind);
    const Attributes& attributes = each[kind].second.program.ops[0].attributes;
    CHECK(attributes.index() == kind);
    CHECK(op_name(attributes) == each[kind].first);
    CHECK(op_name(default_attributes(kind)) == each[kind].first);
    CHECK_NOTHROW(each[kind].second.check());
  }
}

TEST_CASE("every kind of op refuses an output of another width and other rows", "[formats][ops]") {
  for (auto [name, op] : one_of_each()) {
    CAPTURE(name);
    OneOp wide = op;
    wide.value("out").shape = 5;
    wide.refused("op 0 (" + name + "): ");
    op.value("out").rows = name == "pool" ? RowKind::tokens : RowKind::sequences;
    op.refused("op 0 (" + name + "): ");
  }
}

TEST_CASE("ops refuse weights of other shapes", "[formats][ops]") {
  OneOp(ops::Embedding{}, {}, {{10, 4}}, 8).refused("table w0 has shape [10, 4], its rows must be 8 wide");
  OneOp(ops::Linear{}, {8}, {{4, 7}, {4}}, 4).refused("weight w0 has shape [4, 7], expected [4, 8]");
  OneOp(ops::Linear{}, {8}, {{4, 8}, {8}}, 4).refused("weight w1 has shape [8], expected [4]");
  OneOp(ops::LayerNorm{}, {8}, {{8}, {4}}, 8).refused("weight w1 has shape [4], expected [8]");
  OneOp(ops::RmsNorm{0, 2}, {8}, {{8}}, 8).refused("weight w0 has shape [8], expected [4]");
  OneOp(ops::RmsNorm{}, {8}, {{4}}, 8).refused("weight w0 has shape [4], expected [8]");
  OneOp(ops::Rope{RopePairs::halves, 2}, {8}, {{3}}, 8).refused("a head of 4 numbers has 1 to 2 pairs");
}

TEST_CASE("ops refuse attributes out of range", "[formats][ops]") {
  OneOp(full(3), {8, 8, 8}, {}, 8).refused("heads: 3 does not divide the width 8");
  OneOp(full(0), {8, 8, 8}, {}, 8).refused("heads: 0 does not divide the width 8");
  OneOp(ops::Rope{RopePairs::halves, 0}, {8}, {{2}}, 8).refused("heads: 0");
  OneOp(ops::RmsNorm{0, 3}, {8}, {{2}}, 8).refused("heads: 3");
  OneOp(causal(4, 3), {8, 6, 6}, {}, 8).refused("kv_heads: 3 does not divide 4 heads");
  OneOp(causal(4, 0), {8, 4, 4}, {}, 8).refused("kv_heads: 0 does not divide 4 heads");
  OneOp(ops::Attention{AttentionMask::full, 4, 2, 0}, {8, 4, 4}, {}, 8).refused("full attention has as many kv_heads");
  OneOp(ops::Attention{AttentionMask::full, 4, 4, 2}, {8, 8, 8}, {}, 8).refused("and no window");
  OneOp(ops::LayerNorm{-1}, {8}, {{8}, {8}}, 8).refused("epsilon is -1, must be finite and not negative");
  OneOp(ops::Normalize{std::numeric_limits<float>::infinity()}, {8}, {}, 8).refused("epsilon is inf");
  OneOp(ops::RmsNorm{std::numeric_limits<float>::quiet_NaN(), 0}, {8}, {{8}}, 8).refused("epsilon is nan");
}

TEST_CASE("inputs of an op agree", "[formats][ops]") {
  OneOp(ops::Add{}, {8, 4}, {}, 8).refused("input in1 is 4 wide, must be 8");
  OneOp(ops::Multiply{}, {8, RowShape(2, 2, 2)}, {}, 8).refused("input in1 is 2 x 2 x 2 wide, must be 8");
  OneOp(causal(4, 2), {8, 8, 4}, {}, 8).refused("input in1 is 8 wide, must be 4");
  OneOp rows(ops::Add{}, {8, 8}, {}, 8);
  rows.value("in1").rows = RowKind::sequences;
  rows.refused("input in1 has other rows than the first");
}

TEST_CASE("ops of token sequences refuse rows of samples", "[formats][ops]") {
  for (const OneOp& each :
       {OneOp(full(2), {8, 8, 8}, {}, 8), OneOp(ops::Pool{}, {8}, {}, 8, RowKind::sequences),
        OneOp(ops::Rope{RopePairs::halves, 2}, {8}, {{2}}, 8), OneOp(ops::Embedding{}, {}, {{10, 8}}, 8)}) {
    OneOp op = each;
    for (Value& value : op.program.values) value.rows = RowKind::samples;
    op.refused("must have one row for each token");
  }
}

TEST_CASE("images pass through what works element by element, and a linear op flattens them", "[formats][ops]") {
  const RowShape image(2, 3, 4);
  OneOp sum(ops::Add{}, {image, image}, {}, image);
  CHECK_NOTHROW(sum.check());
  sum.value("out").shape = 24;
  sum.refused("output width 24 differs from input width 2 x 3 x 4");
  CHECK_NOTHROW(OneOp(ops::Linear{}, {image}, {{5, 24}}, 5).check());
  OneOp(ops::Linear{}, {24}, {{24, 24}}, image).refused("value out is 2 x 3 x 4, must have one dimension");
  OneOp(ops::LayerNorm{}, {image}, {{24}, {24}}, image).refused("value in0 is 2 x 3 x 4, must have one dimension");
}

TEST_CASE("a linear op runs on rows of samples", "[formats][ops]") {
  OneOp op(ops::Linear{}, {8}, {{4, 8}}, 4);
  for (Value& value : op.program.values) value.rows = RowKind::samples;
  CHECK_NOTHROW(op.check());
}

}  // namespace lathe
