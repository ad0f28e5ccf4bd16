#include "formats/artifact/program_section.h"

#include <catch2/catch.hpp>

#include "formats/artifact/op_table.h"
#include "tests/support/programs.h"

namespace lathe {
namespace {

using test::encoder_program;

// The bytes of a program of one op without operands: no weights, no values, then the op's fields.
struct OpBytes {
  uint16_t kind = 0;
  uint32_t mode = 0;
  uint32_t heads = 0;
  float epsilon = 0;
  std::vector<uint32_t> extra = {};

  std::vector<std::byte> bytes() const {
    ByteWriter out;
    for (const uint32_t count : {0u, 0u, 1u}) out.write(count);  // weights, values, ops
    out.write(kind);
    for (const uint32_t number : {0u, 0u, 0u}) out.write(number);  // inputs, weights, output
    out.write(mode);
    out.write(heads);
    out.write(epsilon);
    for (const uint32_t number : extra) out.write(number);
    for (const uint32_t count : {0u, 0u}) out.write(count);  // inputs and outputs of the program
    return out.bytes();
  }
  Attributes read() const { return decode_program(bytes(), "f").ops.at(0).attributes; }
  void refused(Errc code, const std::string& part) const {
    try {
      read();
      FAIL("was read");
    } catch (const Error& error) {
      CHECK(error.code() == code);
      CHECK_THAT(error.what(), Catch::Contains(part));
    }
  }
};

// The bytes of a program of one value.
std::vector<std::byte> value_bytes(uint8_t rows, const std::vector<uint32_t>& dimensions) {
  ByteWriter out;
  for (const uint32_t count : {0u, 1u}) out.write(count);  // weights, values
  out.write_string("x");
  out.write(rows);
  for (const uint32_t dimension : dimensions) out.write(dimension);
  for (const uint32_t count : {0u, 0u, 0u}) out.write(count);  // ops, inputs, outputs
  return out.bytes();
}

void check_refused_value(uint8_t rows, const std::vector<uint32_t>& dimensions, const std::string& part) {
  CHECK_THROWS_WITH(decode_program(value_bytes(rows, dimensions), "f"), Catch::Contains(part));
}

}  // namespace

TEST_CASE("a program survives encoding and decoding", "[formats][program]") {
  const Program program = encoder_program();
  CHECK(decode_program(encode_program(program), "f") == program);
}

TEST_CASE("a program cut anywhere is refused", "[formats][program]") {
  const std::vector<std::byte> good = encode_program(encoder_program());
  for (size_t size = 1; size < good.size(); ++size) {
    CHECK_THROWS_AS(decode_program(Bytes(good).first(size), "f"), Error);
  }
}

TEST_CASE("the attributes of every kind stand in their fields", "[formats][program]") {
  const auto [attributes, stored] = GENERATE(table<Attributes, OpBytes>({
      {ops::Embedding{Stream::segments}, {0, 2}},
      {ops::Linear{InputBits::sixteen}, {1, 1}},
      {ops::LayerNorm{0.5f}, {2, 0, 0, 0.5f}},
      {ops::Attention{AttentionMask::full, 6, 6, 0}, {3, 0, 6}},
      {ops::Attention{AttentionMask::causal, 6, 2, 9}, {3, 1, 6, 0, {2, 9}}},
      {ops::Activation{ActivationFunction::tanh}, {4, 4}},
      {ops::Add{}, {5}},
      {ops::Pool{Pooling::max}, {6, 2}},
      {ops::Normalize{0.25f}, {7, 0, 0, 0.25f}},
      {ops::RmsNorm{0.5f, 3}, {8, 0, 3, 0.5f}},
      {ops::Multiply{}, {9}},
      {ops::Rope{RopePairs::neighbours, 4}, {10, 1, 4}},
  }));
  CAPTURE(op_name(attributes));
  CHECK(stored.read() == attributes);
  Program program;
  program.ops.push_back({attributes, {}, {}, 0});
  CHECK(encode_program(program) == stored.bytes());
}

TEST_CASE("a mode that a kind does not have is refused", "[formats][program]") {
  OpBytes{0, 3}.refused(Errc::malformed, "f: program: op 0 (embedding): mode 3 is not below 3");
  OpBytes{1, 2}.refused(Errc::malformed, "op 0 (linear): mode 2 is not below 2");
  OpBytes{3, 2, 1}.refused(Errc::malformed, "op 0 (attention): mode 2 is not below 2");
  OpBytes{4, 5}.refused(Errc::malformed, "op 0 (activation): mode 5 is not below 5");
  OpBytes{6, 3}.refused(Errc::malformed, "op 0 (pool): mode 3 is not below 3");
  OpBytes{10, 2, 1}.refused(Errc::malformed, "op 0 (rope): mode 2 is not below 2");
}

TEST_CASE("a field that a kind does not use is 0", "[formats][program]") {
  OpBytes{5, 1}.refused(Errc::malformed, "op 0 (add): mode is 1, must be 0");
  OpBytes{2, 0, 4}.refused(Errc::malformed, "op 0 (layer_norm): heads is 4, must be 0");
  OpBytes{10, 0, 4, 0.5f}.refused(Errc::malformed, "op 0 (rope): epsilon is 0.5, must be 0");
  OpBytes{9, 0, 0, std::numeric_limits<float>::quiet_NaN()}.refused(Errc::malformed, "epsilon is nan, must be 0");
}

TEST_CASE("a kind of op that is not known is unsupported", "[formats][program]") {
  OpBytes{static_cast<uint16_t>(kOpKinds)}.refused(Errc::unsupported, "op kind 11 is not known");
  OpBytes{65535}.refused(Errc::unsupported, "op kind 65535 is not known");
}

TEST_CASE("rows and shape of a value stand in its bytes", "[formats][program]") {
  const auto [rows, shape, byte, dimensions] = GENERATE(table<RowKind, RowShape, uint8_t, std::vector<uint32_t>>({
      {RowKind::tokens, 7, 0, {7}},
      {RowKind::sequences, 7, 1, {7}},
      {RowKind::samples, 7, 2, {7}},
      {RowKind::samples, RowShape(3, 32, 16), 0x82, {3, 32, 16}},
  }));
  Program program;
  program.add_value("x", rows, shape);
  CHECK(encode_program(program) == value_bytes(byte, dimensions));
  CHECK(decode_program(encode_program(program), "f") == program);
}

TEST_CASE("a value with damaged rows or dimensions is refused", "[formats][program]") {
  check_refused_value(3, {7}, "f: program: value x: rows 3 is not in [0, 2]");
  check_refused_value(0x42, {7}, "value x: rows 66 is not in [0, 2]");
  check_refused_value(0x83, {1, 1, 7}, "value x: rows 3 is not in [0, 2]");
  check_refused_value(0x82, {0, 32, 16}, "value x: 0 channels");
  check_refused_value(0x82, {7}, "inputs");            // the flag promises dimensions that do not follow
  check_refused_value(0x02, {3, 32, 16}, "op count");  // dimensions follow that no flag promises
}

}  // namespace lathe
