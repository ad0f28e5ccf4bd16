#include "formats/artifact/encoding.h"

#include <catch2/catch.hpp>
#include <limits>

#include "formats/artifact/half.h"

namespace lathe {
namespace {

std::vector<std::byte> bytes(std::initializer_list<int> values) {
  std::vector<std::byte> out;
  for (const int value : values) out.push_back(static_cast<std::byte>(value));
  return out;
}

std::vector<std::byte> bf16(std::initializer_list<float> values) {
  std::vector<std::byte> out;
  for (const float value : values) {
    const uint16_t bits = f32_to_bf16(value);
    out.push_back(static_cast<std::byte>(bits & 255));
    out.push_back(static_cast<std::byte>(bits >> 8));
  }
  return out;
}

EncodedBuffer int8_rows() {
  EncodedBuffer t{{ValueType::int8, Sparsity::dense, 0}, {2, 3}, {}};
  t.plane(Plane::values) = bytes({1, -2, 127, 0, -127, 5});
  t.plane(Plane::row_scales) = bf16({0.5f, 2.0f});
  return t;
}

EncodedBuffer int4_masked() {
  // Row 0 keeps columns 0, 2, 4 with 7, -8, 3; row 1 keeps column 3 with -1. Groups of 2 columns.
  EncodedBuffer t{{ValueType::int4, Sparsity::bitmask, 2}, {2, 5}, {}};
  t.plane(Plane::mask) = bytes({0b10101, 0b01000});
  t.plane(Plane::values) = bytes({0x87, 0x03, 0x0f});
  t.plane(Plane::group_scales) = bytes({0x21, 0x0f, 0x31, 0x00});  // groups 1, 2, 15 and 1, 3, 0
  t.plane(Plane::row_scales) = bf16({1.0f, 0.25f});
  return t;
}

}  // namespace

TEST_CASE("int8 weights are the scale of their row times the integer", "[formats][encoding]") {
  const EncodedBuffer t = int8_rows();
  validate(t.view(), "w");
  CHECK(decode(t.view()) == std::vector<float>{0.5f, -1.0f, 63.5f, 0.0f, -254.0f, 10.0f});
  CHECK(count_zeros(t.view()) == 1);
}

TEST_CASE("int4 weights under a mask are row scale times group scale times integer", "[formats][encoding]") {
  const EncodedBuffer t = int4_masked();
  validate(t.view(), "w");
  CHECK(row_starts(t.view()) == std::vector<uint64_t>{0, 2, 3});
  CHECK(decode(t.view()) == std::vector<float>{7, 0, -16, 0, 45, 0, 0, 0, -0.75f, 0});
  CHECK(encoding_name(t.encoding) == "int4/2+bitmask");
}

TEST_CASE("float weights decode in every precision, with and without a mask", "[formats][encoding]") {
  EncodedBuffer half{{ValueType::f16, Sparsity::bitmask, 0}, {1, 3}, {}};
  half.plane(Plane::mask) = bytes({0b110});
  half.plane(Plane::values) = bytes({0x00, 0x3c, 0x00, 0xc0});
  CHECK(decode(half.view()) == std::vector<float>{0, 1, -2});
  EncodedBuffer brain{{ValueType::bf16, Sparsity::dense, 0}, {2}, {}};
  brain.plane(Plane::values) = bf16({3.0f, -0.5f});
  CHECK(decode(brain.view()) == std::vector<float>{3, -0.5f});
}

TEST_CASE("a tensor whose planes break a rule is refused with its name and the bound", "[formats][encoding]") {
  EncodedBuffer t = int4_masked();
  SECTION("values too short") {
    t.plane(Plane::values).pop_back();
    CHECK_THROWS_WITH(validate(t.view(), "w"),
                      Catch::Contains("w: plane values has 2 bytes") && Catch::Contains("needs 3"));
  }
  SECTION("mask with a bit after the last column") {
    t.plane(Plane::mask)[1] |= std::byte{0x20};
    CHECK_THROWS_WITH(validate(t.view(), "w"), Catch::Contains("after the last column of row 1"));
  }
  SECTION("scale that is not positive") {
    t.plane(Plane::row_scales) = bf16({1.0f, 0.0f});
    CHECK_THROWS_WITH(validate(t.view(), "w"), Catch::Contains("row_scales") && Catch::Contains("row 1"));
  }
  SECTION("scale that is not finite") {
    t.plane(Plane::row_scales) = bf16({std::numeric_limits<float>::infinity(), 1.0f});
    CHECK_THROWS_WITH(validate(t.view(), "w"), Catch::Contains("row 0"));
  }
  SECTION("group scales missing") {
    t.plane(Plane::group_scales).clear();
    CHECK_THROWS_WITH(validate(t.view(), "w"), Catch::Contains("group_scales has 0 bytes"));
  }
  SECTION("rank 3") {
    t.shape = {1, 2, 5};
    CHECK_THROWS_WITH(validate(t.view(), "w"), Catch::Contains("rank 3"));
  }
  SECTION("a dimension of zero") {
    t.shape = {0, 5};
    CHECK_THROWS_WITH(validate(t.view(), "w"), Catch::Contains("dimension 0"));
  }
  SECTION("a number that is not finite") {
    EncodedBuffer f{{}, {1}, {}};
    f.plane(Plane::values) = bytes({0, 0, 0xc0, 0x7f});
    CHECK_THROWS_WITH(validate(f.view(), "f"), Catch::Contains("non-finite number at offset 0"));
  }
}

TEST_CASE("every half and bfloat16 value survives the way through f32", "[formats][half]") {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const bool half_nan = (half & 0x7fffu) > 0x7c00u;
    const bool brain_nan = (half & 0x7fffu) > 0x7f80u;
    if (!half_nan && f32_to_f16(f16_to_f32(half)) != half) FAIL("f16 " << bits);
    if (!brain_nan && f32_to_bf16(bf16_to_f32(half)) != half) FAIL("bf16 " << bits);
  }
  CHECK(f32_to_f16(65520.0f) == 0x7c00);  // rounds to infinity
  CHECK(f32_to_f16(65519.0f) == 0x7bff);
  CHECK(f32_to_f16(0x1p-25f) == 0);           // halfway to the smallest subnormal: to even
  CHECK(f32_to_f16(0x1.8p-24f) == 2);         // halfway between two subnormals: to even
  CHECK(f32_to_bf16(1.00390625f) == 0x3f80);  // halfway: to even
  CHECK(f32_to_bf16(1.01171875f) == 0x3f82);
}

}  // namespace lathe
