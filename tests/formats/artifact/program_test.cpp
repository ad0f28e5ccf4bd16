#include "formats/artifact/program.h"

#include <catch2/catch.hpp>

namespace lathe {
namespace {

// words -> hidden -> norm -> attended -> pooled
Program encoder() {
  Program p;
  p.weights = {"table", "w", "b", "gamma", "beta"};
  p.add_value("words", RowKind::tokens, 8);
  p.add_value("hidden", RowKind::tokens, 4);
  p.add_value("norm", RowKind::tokens, 4);
  p.add_value("attended", RowKind::tokens, 4);
  p.add_value("pooled", RowKind::sequences, 4);
  p.ops.push_back({OpKind::embedding, {}, {0}, 0, 0, 0, 0});
  p.ops.push_back({OpKind::linear, {0}, {1, 2}, 1, 0, 0, 0});
  p.ops.push_back({OpKind::layer_norm, {1}, {3, 4}, 2, 0, 0, 1e-5f});
  p.ops.push_back({OpKind::attention, {2, 2, 2}, {}, 3, 0, 2, 0});
  p.ops.push_back({OpKind::pool, {3}, {}, 4, 0, 0, 0});
  p.outputs = {4};
  return p;
}

Shape shape_of(const std::string& name) {
  if (name == "table") return {10, 8};
  if (name == "w") return {4, 8};
  return {4};
}

void check_refused(const Program& program, const std::string& part) {
  CHECK_THROWS_WITH(validate(program, shape_of, "f"), Catch::Contains(part));
}

}  // namespace

TEST_CASE("a program survives encoding and decoding", "[formats][program]") {
  const Program program = encoder();
  validate(program, shape_of, "f");
  CHECK(decode_program(encode_program(program), "f") == program);
}

TEST_CASE("a program that breaks a rule is refused by op and field", "[formats][program]") {
  Program p = encoder();
  SECTION("value read before it is written") {
    std::swap(p.ops[1], p.ops[2]);
    check_refused(p, "op 1 (layer_norm): reads value hidden before it is written");
  }
  SECTION("value written twice") {
    p.ops[2].output = 1;
    check_refused(p, "writes value hidden a second time");
  }
  SECTION("index of a value out of range") {
    p.ops[1].inputs = {9};
    check_refused(p, "inputs: index 9 is not below 5");
  }
  SECTION("index of a weight out of range") {
    p.ops[1].weights[0] = 7;
    check_refused(p, "weights: index 7 is not below 5");
  }
  SECTION("weight of the wrong shape") {
    p.values[1].width = 5;
    check_refused(p, "weight w has shape [4, 8], expected [5, 8]");
  }
  SECTION("heads that do not divide the width") {
    p.ops[3].heads = 3;
    check_refused(p, "heads: 3 does not divide the width 4");
  }
  SECTION("heads of zero") {
    p.ops[3].heads = 0;
    check_refused(p, "heads: 0");
  }
  SECTION("too few inputs") {
    p.ops[3].inputs.pop_back();
    check_refused(p, "has 2 inputs, needs 3");
  }
  SECTION("a mode that does not exist") {
    p.ops[4].mode = 3;
    check_refused(p, "mode 3 is not below 3");
  }
  SECTION("an output that nothing writes") {
    p.ops.pop_back();
    check_refused(p, "value 4 is never written");
  }
  SECTION("no output") {
    p.outputs.clear();
    check_refused(p, "there is none");
  }
  SECTION("pooling that keeps the rows") {
    p.values[4].rows = RowKind::tokens;
    check_refused(p, "wrong kind of rows");
  }
}

TEST_CASE("a program cut anywhere is refused", "[formats][program]") {
  const std::vector<std::byte> good = encode_program(encoder());
  for (size_t size = 0; size < good.size(); ++size) {
    if (size != 0) CHECK_THROWS_AS(decode_program(Bytes(good).first(size), "f"), Error);
  }
}

TEST_CASE("a slice holds the ops between what is given and what is wanted", "[formats][program]") {
  const ProgramSlice part = slice(encoder(), {0, 1}, {3});
  REQUIRE(part.program.ops.size() == 2);
  CHECK(part.program.ops[0].kind == OpKind::layer_norm);
  CHECK(part.inputs == std::vector<uint32_t>{1});
  CHECK(part.program.weights == std::vector<std::string>{"gamma", "beta"});
  validate(part.program, shape_of, "slice");
  CHECK_THROWS_AS(slice(Program{{}, encoder().values, {}, {}, {}}, {}, {3}), Error);
}

}  // namespace lathe
