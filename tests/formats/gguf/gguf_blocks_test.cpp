// How the numbers of GGUF types are read and written.

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "formats/checkpoint.h"
#include "formats/gguf/gguf.h"
#include "formats/gguf/gguf_encode.h"
#include "tests/formats/expect_error.h"
#include "tests/support/paths.h"

namespace lathe {
namespace {

using test::expect_error;

std::unique_ptr<Checkpoint> recorded_blocks() { return open_checkpoint(test::data_path("gguf/blocks.safetensors")); }

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

TEST_CASE("GGUF blocks decode to the same bits as in the reference", "[formats][gguf]") {
  const auto usual = recorded_blocks();
  const auto small = open_checkpoint(test::data_path("gguf/small_blocks.safetensors"));
  for (const GgufType type : {GgufType::f16, GgufType::bf16, GgufType::q4_0, GgufType::q4_1, GgufType::q5_0,
                              GgufType::q5_1, GgufType::q8_0, GgufType::q4_k, GgufType::q5_k, GgufType::q6_k,
                              GgufType::q2_k, GgufType::q3_k, GgufType::iq4_nl, GgufType::iq4_xs, GgufType::mxfp4}) {
    const GgufTypeTraits& traits = gguf_traits(type);
    INFO(traits.name);
    const auto& recorded = usual->has(message(traits.name, ".values")) ? usual : small;
    const std::vector<float> expected = read_f32(*recorded, message(traits.name, ".values"));
    GgufTensor tensor{"t", type, {expected.size()}, recorded->tensor(message(traits.name, ".blocks")).bytes};
    CHECK(tensor.bytes.size() == expected.size() / traits.block_values * traits.block_bytes);
    CHECK(same_bits(decode(tensor), expected));
  }
}

std::vector<std::byte> encode_rows(GgufType type, const std::vector<float>& values, size_t columns) {
  std::vector<std::byte> out(gguf_row_bytes(type, values.size()));
  for (size_t row = 0; row < values.size() / columns; ++row) {
    encode_gguf_row(type, {std::span(values).subspan(row * columns, columns)}, "test",
                    out.data() + row * gguf_row_bytes(type, columns));
  }
  return out;
}

TEST_CASE("rows are encoded to the same bytes as in the reference", "[formats][gguf]") {
  const auto recorded = recorded_blocks();
  const std::vector<float> values = read_f32(*recorded, "encode.values");
  for (const GgufType type : {GgufType::f16, GgufType::q8_0, GgufType::q4_0}) {
    const char* name = gguf_traits(type).name;
    INFO(name);
    const Bytes expected = recorded->tensor(message("encode.", name)).bytes;
    const std::vector<std::byte> found = encode_rows(type, values, 64);
    CHECK(std::equal(found.begin(), found.end(), expected.begin(), expected.end()));
  }
}

TEST_CASE("numbers that a GGUF type cannot hold are errors", "[formats][gguf]") {
  std::vector<float> row(32, 1);
  const auto encode = [&](GgufType type) { encode_rows(type, row, row.size()); };
  row[3] = std::numeric_limits<float>::quiet_NaN();
  row.resize(256, 1);
  for (const GgufType type :
       {GgufType::f32, GgufType::f16, GgufType::q8_0, GgufType::q4_0, GgufType::q4_k, GgufType::q6_k}) {
    expect_error(Errc::malformed, {"test: number 3 is nan", "not finite"}, [&] { encode(type); });
  }
  row[3] = std::numeric_limits<float>::infinity();
  expect_error(Errc::malformed, {"test: number 3 is inf"}, [&] { encode(GgufType::q4_0); });
  row[3] = 65520;
  expect_error(Errc::limit, {"test: 65520", "half precision", "65504"}, [&] { encode(GgufType::f16); });
  encode(GgufType::q8_0);
  row[3] = 1e30f;
  expect_error(Errc::limit, {"half precision"}, [&] { encode(GgufType::q8_0); });
  expect_error(Errc::limit, {"half precision"}, [&] { encode(GgufType::q4_0); });
  expect_error(Errc::limit, {"half precision"}, [&] { encode(GgufType::q4_k); });
  expect_error(Errc::limit, {"half precision"}, [&] { encode(GgufType::q6_k); });
}

// The root of the mean squared error over that of the mean square.
double relative_error(GgufType type, const std::vector<float>& values) {
  const std::vector<std::byte> bytes = encode_rows(type, values, 256);
  const std::vector<float> found = decode(GgufTensor{"t", type, {values.size()}, bytes});
  double error = 0, square = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    error += (found[i] - values[i]) * (found[i] - values[i]);
    square += values[i] * values[i];
  }
  return std::sqrt(error / square);
}

TEST_CASE("blocks of 256 lose less than blocks of 32 with as many bits", "[formats][gguf]") {
  std::mt19937 random(5);
  std::vector<float> normal(4096), shifted(4096), positive(4096);
  for (size_t i = 0; i < normal.size(); ++i) {
    float sum = 0;
    for (int k = 0; k < 12; ++k) sum += static_cast<float>(random() % 10001) / 10000 - 0.5f;
    normal[i] = sum * (i / 512 == 3 ? 10.0f : 1.0f);
    shifted[i] = sum - 4;
    positive[i] = std::abs(sum);
  }
  for (const auto* values : {&normal, &shifted, &positive}) {
    CHECK(relative_error(GgufType::q4_k, *values) < 0.9 * relative_error(GgufType::q4_0, *values));
    CHECK(relative_error(GgufType::q6_k, *values) < 0.9 * relative_error(GgufType::q4_k, *values));
    CHECK(relative_error(GgufType::q8_0, *values) < relative_error(GgufType::q6_k, *values));
  }
  CHECK(relative_error(GgufType::q4_k, normal) < 0.075);
  CHECK(relative_error(GgufType::q6_k, normal) < 0.3 * relative_error(GgufType::q4_k, normal));
  const std::vector<float> zeros(256, 0.0f);
  for (const GgufType type : {GgufType::q4_k, GgufType::q6_k}) {
    CHECK(decode(GgufTensor{"t", type, {256}, encode_rows(type, zeros, 256)}) == zeros);
  }
}

TEST_CASE("a row on a grid that the blocks can hold keeps its integers", "[formats][gguf]") {
  std::vector<int8_t> integers(256);
  std::vector<float> values(256);
  const std::vector<uint8_t> multipliers = {3, 15, 1, 2, 7, 8, 14, 5};
  const float scale = 0.0078125f;
  for (size_t i = 0; i < 256; ++i) {
    integers[i] = static_cast<int8_t>(static_cast<int>(i * 5 % 16) - 8);
    values[i] = scale * static_cast<float>(multipliers[i / 32] * integers[i]);
  }
  values[0] = scale * 3 * -8;
  for (const GgufType type : {GgufType::q8_0, GgufType::q4_0, GgufType::q4_k, GgufType::q6_k}) {
    std::vector<std::byte> out(gguf_row_bytes(type, 256));
    encode_gguf_row(type, {values, integers, multipliers, scale}, "test", out.data());
    CHECK(same_bits(decode(GgufTensor{"t", type, {256}, out}), values));
  }
  // Of the largest integers alone, blocks that are rounded anew would have another scale.
  std::vector<std::byte> anew(gguf_row_bytes(GgufType::q8_0, 256));
  encode_gguf_row(GgufType::q8_0, {values}, "test", anew.data());
  CHECK_FALSE(same_bits(decode(GgufTensor{"t", GgufType::q8_0, {256}, anew}), values));
}

}  // namespace
}  // namespace lathe
