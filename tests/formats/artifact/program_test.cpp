#include "formats/artifact/program.h"

#include <catch2/catch.hpp>

#include "tests/support/programs.h"

namespace lathe {
namespace {

using test::encoder_program;
using test::shape_in_encoder;

void check_refused(const Program& program, const std::string& part) {
  CHECK_THROWS_WITH(validate(program, shape_in_encoder, "f"), Catch::Contains(part));
}

}  // namespace

TEST_CASE("a program that breaks a rule is refused by op and field", "[formats][program]") {
  Program p = encoder_program();
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
  SECTION("a weight that only the bias may lack") {
    p.ops[2].weights[1] = kNone;
    check_refused(p, "op 2 (layer_norm): weights: index 4294967295 is not below 5");
  }
  SECTION("too few inputs") {
    p.ops[3].inputs.pop_back();
    check_refused(p, "has 2 inputs, needs 3");
  }
  SECTION("too many weights") {
    p.ops[1].weights.push_back(0);
    check_refused(p, "has 3 weights, needs 1 to 2");
  }
  SECTION("an output that nothing writes") {
    p.ops.pop_back();
    check_refused(p, "value 4 is never written");
  }
  SECTION("no output") {
    p.outputs.clear();
    check_refused(p, "there is none");
  }
}

TEST_CASE("a bias may be absent", "[formats][program]") {
  Program p = encoder_program();
  SECTION("as a weight that is none") { p.ops[1].weights[1] = kNone; }
  SECTION("as a weight that is not listed") { p.ops[1].weights.pop_back(); }
  CHECK_NOTHROW(validate(p, shape_in_encoder, "f"));
}

TEST_CASE("rows of a value have a width, or channels, height and width", "[formats][program]") {
  const RowShape row = 384;
  CHECK_FALSE(row.is_image());
  CHECK(row.size() == 384);
  CHECK(row_shape_text(row) == "384");
  const RowShape image(3, 32, 16);
  CHECK(image.is_image());
  CHECK(image.size() == 3 * 32 * 16);
  CHECK(row_shape_text(image) == "3 x 32 x 16");
  CHECK_FALSE(image == RowShape(3 * 32 * 16));
}

TEST_CASE("rows of a value have a size in range", "[formats][program]") {
  Program p = encoder_program();
  SECTION("no width") {
    p.values[0].shape = 0;
    check_refused(p, "value words: width 0, must be in [1, 1048576]");
  }
  SECTION("an image without height") {
    p.values[0].shape = RowShape(3, 0, 8);
    check_refused(p, "value words: height 0, must be in [1, 1048576]");
  }
  SECTION("an image whose numbers do not fit 32 bits") {
    p.values[0].shape = RowShape(1 << 20, 1 << 20, 1 << 20);
    check_refused(p, "value words: numbers in a row 1152921504606846976, must be in [1, 16777216]");
  }
}

TEST_CASE("a program works on samples or on token sequences", "[formats][program]") {
  Program p;
  p.add_value("features", RowKind::samples, RowShape(1, 2, 4));
  p.add_value("scores", RowKind::samples, 4);
  p.weights = {"w"};
  p.ops.push_back({ops::Linear{}, {0}, {0}, 1});
  p.inputs = {0};
  p.outputs = {1};
  CHECK_NOTHROW(validate(p, shape_in_encoder, "f"));
  p.add_value("words", RowKind::tokens, 8);
  check_refused(p, "value words: a program has rows of samples or of token sequences, not both");
}

TEST_CASE("a slice holds the ops between what is given and what is wanted", "[formats][program]") {
  const ProgramSlice part = slice(encoder_program(), {0, 1}, {3});
  REQUIRE(part.program.ops.size() == 2);
  CHECK(part.program.ops[0].is<ops::LayerNorm>());
  CHECK(part.inputs == std::vector<uint32_t>{1});
  CHECK(part.program.weights == std::vector<std::string>{"gamma", "beta"});
  validate(part.program, shape_in_encoder, "slice");
  CHECK_THROWS_AS(slice(Program{{}, encoder_program().values, {}, {}, {}}, {}, {3}), Error);
}

}  // namespace lathe
