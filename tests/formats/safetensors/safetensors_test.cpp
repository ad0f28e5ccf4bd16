#include "formats/safetensors/safetensors.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <random>

#include "tests/formats/expect_error.h"
#include "tests/support/safetensors_builder.h"

namespace lathe {
namespace {

using test::expect_error;
using test::raw_bytes;
using test::safetensors_file;
using test::SafetensorsBuilder;

constexpr const char* kPath = "some/model.safetensors";

Bytes bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }
SafetensorsHeader parse(const std::string& file) { return parse_safetensors(bytes_of(file), kPath); }

std::string length_prefix(uint64_t length) { return raw_bytes<uint64_t>({length}); }

/// An entry of 16 bytes unless told otherwise.
std::string entry(std::string_view shape, std::string_view dtype = "\"F32\"", std::string_view offsets = "[0,16]") {
  return message("{\"dtype\":", dtype, ",\"shape\":", shape, ",\"data_offsets\":", offsets, "}");
}
std::string with_entry(std::string_view entry) { return message("{\"w\":", entry, "}"); }

struct BadFile {
  const char* name;
  std::string file;
  Errc code;
  std::vector<std::string> parts;  // besides the path
};

void expect_all_refused(const std::vector<BadFile>& cases) {
  test::expect_all_refused(cases, kPath, [](const BadFile& bad) { parse(bad.file); });
}

BadFile bad_header(const char* name, const std::string& header, std::vector<std::string> parts,
                   Errc code = Errc::malformed, size_t data = 16) {
  return {name, safetensors_file(header, std::string(data, 'x')), code, std::move(parts)};
}

TEST_CASE("a safetensors file whose length field is wrong is refused", "[formats][safetensors]") {
  expect_all_refused({
      {"case 1: empty file", "", Errc::malformed, {"0 bytes", "8"}},
      {"case 2: seven bytes", "\1\0\0\0\0\0\0", Errc::malformed, {"bytes", "at least 8"}},
      {"case 3: header longer than the file", length_prefix(100) + "{}", Errc::malformed, {"100", "only 2 bytes"}},
      {"case 4: one byte over the limit",
       safetensors_file(std::string(100'000'001, ' ')),
       Errc::limit,
       {"100000001", "100000000"}},
      {"case 5: length 2^63", length_prefix(uint64_t{1} << 63) + "{}", Errc::malformed, {"9223372036854775808"}},
      {"case 6: length 2^64-1", length_prefix(~uint64_t{0}) + "{}", Errc::malformed, {"18446744073709551615"}},
      {"case 7: length 0", length_prefix(0), Errc::malformed, {"header length 0"}},
  });
}

TEST_CASE("a safetensors header that is not one JSON object is refused", "[formats][safetensors]") {
  const std::string good = with_entry(entry("[4]"));
  expect_all_refused({
      bad_header("case 8: not UTF-8", "{\"\xff\xfe\":1}", {"not valid JSON at byte"}),
      bad_header("case 9: array", "[]", {"the header is an array", "expected an object"}),
      bad_header("case 9: number", "17", {"the header is 17", "expected an object"}),
      bad_header("case 10: two objects", good + good, {"not valid JSON at byte"}),
      bad_header("case 11: NUL padding", good + std::string(6, '\0'), {"NUL", std::to_string(good.size())}),
      bad_header("case 12: byte order mark", message("\xef\xbb\xbf", good), {"byte order mark"}),
      bad_header("case 13: trailing comma", with_entry(entry("[4,]")), {"not valid JSON at byte"}),
      bad_header("case 13: comment", good + "/* good */", {"not valid JSON at byte"}),
      bad_header("case 13: NaN literal", with_entry(entry("[NaN]")), {"not valid JSON at byte"}),
      bad_header("case 40: lone surrogate", message("{\"\\ud800\":", entry("[4]"), "}"), {"not valid JSON at byte"}),
  });
}

TEST_CASE("a safetensors header of another structure is refused", "[formats][safetensors]") {
  const std::string good = entry("[4]");
  expect_all_refused({
      bad_header("case 14: duplicate tensor", message("{\"w\":", good, ",\"w\":", good, "}"), {"tensor w", "twice"}),
      bad_header("case 15: duplicate __metadata__", R"({"__metadata__":{},"__metadata__":{}})",
                 {"__metadata__", "twice"}),
      bad_header("case 15: duplicate key in __metadata__", R"({"__metadata__":{"a":"1","a":"2"}})",
                 {"__metadata__", "\"a\"", "twice"}, Errc::malformed, 0),
      bad_header("case 15: duplicate dtype", R"({"w":{"dtype":"F32","dtype":"F32","shape":[4],"data_offsets":[0,16]}})",
                 {"tensor w: dtype", "twice"}),
      bad_header("case 16: unknown field", R"({"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16],"strides":[1]}})",
                 {"tensor w", "\"strides\""}),
      bad_header("case 17: no dtype", R"({"w":{"shape":[4],"data_offsets":[0,16]}})", {"tensor w", "no dtype"}),
      bad_header("case 17: no shape", R"({"w":{"dtype":"F32","data_offsets":[0,16]}})", {"tensor w", "no shape"}),
      bad_header("case 17: no offsets", R"({"w":{"dtype":"F32","shape":[4]}})", {"tensor w", "no data_offsets"}),
      bad_header("case 18: entry is an array", R"({"w":["F32",[4],[0,16]]})", {"tensor w is an array"}),
      bad_header("case 18: entry is a number", R"({"w":7})", {"tensor w is 7", "expected an object"}),
      bad_header("case 41: __metadata__ value is a number", R"({"__metadata__":{"format":1}})",
                 {"__metadata__", "\"format\" is 1", "expected a string"}),
      bad_header("case 41: __metadata__ value is an object", R"({"__metadata__":{"format":{}}})",
                 {"__metadata__", "\"format\" is an object", "expected a string"}),
  });
}

TEST_CASE("a safetensors tensor with a bad type or shape is refused", "[formats][safetensors]") {
  expect_all_refused({
      bad_header("case 19: unknown type", with_entry(entry("[4]", "\"F128\"")), {"tensor w: dtype", "F128"},
                 Errc::unsupported),
      bad_header("case 20: lower case type", with_entry(entry("[4]", "\"f32\"")), {"tensor w: dtype", "f32", "F32"}),
      bad_header("case 20: type is a number", with_entry(entry("[4]", "32")), {"tensor w: dtype is 32", "a string"}),
      bad_header("case 21: negative dimension", with_entry(entry("[-4]")), {"tensor w: shape", "-4"}),
      bad_header("case 22: dimension 2.0", with_entry(entry("[2.0,2]")), {"tensor w: shape", "2.0"}),
      bad_header("case 22: dimension 4e0", with_entry(entry("[4e0]")), {"tensor w: shape", "4.0"}),
      bad_header("case 22: dimension \"4\"", with_entry(entry("[\"4\"]")), {"tensor w: shape", "\"4\""}),
      bad_header("case 22: dimension 04", with_entry(entry("[04]")), {"not valid JSON at byte"}),
      bad_header("case 23: dimension 2^64", with_entry(entry("[18446744073709551616]")),
                 {"tensor w: shape", "18446744073709551616"}),
      bad_header("case 24: product 2^32 * (2^32+1) wraps", with_entry(entry("[4294967296,4294967297]")),
                 {"tensor w", "4294967296", "4294967297", "overflows"}),
      // 4 * (2^60 + 1) elements: times 4 bytes wraps to 16.
      bad_header("case 25: bytes wrap to 16", with_entry(entry("[4,252707057,4562284561]")), {"tensor w", "overflows"}),
      bad_header("case 26: [0, 2^64-1, 2^64-1]", with_entry(entry("[0,18446744073709551615,18446744073709551615]")),
                 {"tensor w: shape", "18446744073709551615", "2^48"}),
      bad_header("case 27: [2^64-1, 2^64-1, 0]", with_entry(entry("[18446744073709551615,18446744073709551615,0]")),
                 {"tensor w: shape", "18446744073709551615", "2^48"}),
      bad_header("case 28: rank 9", with_entry(entry("[1,1,1,1,1,1,1,1,4]")), {"tensor w: shape", "8"},
                 Errc::unsupported),
      bad_header("case 37: F4 with an odd count", with_entry(entry("[31]", "\"F4\"")),
                 {"tensor w", "31", "F4", "whole bytes"}),
  });
}

TEST_CASE("a safetensors file whose tensors do not tile the data is refused", "[formats][safetensors]") {
  const auto two = [](std::string_view a, std::string_view b) {
    return message("{\"a\":", entry("[2]", "\"F32\"", a), ",\"b\":", entry("[2]", "\"F32\"", b), "}");
  };
  expect_all_refused({
      bad_header("case 29: reversed", with_entry(entry("[4]", "\"F32\"", "[16,0]")), {"tensor w", "[16, 0]"}),
      bad_header("case 30: three offsets", with_entry(entry("[4]", "\"F32\"", "[0,16,16]")),
                 {"tensor w: data_offsets", "2"}),
      bad_header("case 30: one offset", with_entry(entry("[4]", "\"F32\"", "[0]")),
                 {"tensor w: data_offsets", "1", "expected 2"}),
      bad_header("case 31: overlap", two("[0,8]", "[4,12]"), {"tensor b", "4", "8", "overlaps tensor a"}),
      bad_header("case 32: same range twice", two("[0,8]", "[0,8]"), {"tensor b", "expected 8", "overlaps tensor a"}),
      bad_header("case 33: hole at the start", two("[4,12]", "[12,20]"), {"tensor a", "begin at 4", "a hole"}),
      bad_header("case 33: hole in the middle", two("[0,8]", "[12,20]"), {"tensor b", "begin at 12", "a hole after"}),
      bad_header("case 34: bytes after the last tensor", with_entry(entry("[4]")), {"4 bytes follow", "tensor w", "16"},
                 Errc::malformed, 20),
      bad_header("case 34: bytes without any tensor", "{}", {"16 bytes follow"}),
      bad_header("case 35: short by one byte", with_entry(entry("[4]")), {"tensor w", "15", "1 bytes are missing"},
                 Errc::malformed, 15),
      bad_header("case 36: size is not shape times type", with_entry(entry("[5]")), {"tensor w", "16", "20", "[5]"}),
      bad_header("case 38: zero-size tensor outside",
                 message("{\"w\":", entry("[4]"), ",\"z\":", entry("[0]", "\"F32\"", "[99,99]"), "}"),
                 {"tensor z", "99", "16"}),
      bad_header("case 38: zero-size tensor inside another",
                 message("{\"w\":", entry("[4]"), ",\"z\":", entry("[0]", "\"F32\"", "[8,8]"), "}"),
                 {"tensor z", "overlaps"}),
  });
}

TEST_CASE("a dimension is below 2^48, also beside a zero", "[formats][safetensors]") {
  const auto file = [](uint64_t dim) {
    return safetensors_file(with_entry(entry(message("[0,", dim, "]"), "\"F32\"", "[0,0]")));
  };
  CHECK(parse(file(kMaxDim - 1)).entries[0].shape == Shape{0, kMaxDim - 1});
  expect_error(Errc::malformed, {kPath, "tensor w: shape", std::to_string(kMaxDim)}, [&] { parse(file(kMaxDim)); });
}

TEST_CASE("case 28: a shape of rank 100 is refused", "[formats][safetensors]") {
  std::string shape = "[1";
  for (int i = 1; i < 100; ++i) shape += ",1";
  expect_error(Errc::unsupported, {kPath, "tensor w: shape", "8"},
               [&] { parse(safetensors_file(with_entry(entry(message(shape, "]"))))); });
}

TEST_CASE("case 39: tensor names are short and printable", "[formats][safetensors]") {
  const auto named = [](std::string_view name) {
    return safetensors_file(message("{\"", name, "\":", entry("[4]"), "}"), std::string(16, 'x'));
  };
  expect_all_refused({
      {"NUL", named("a\\u0000b"), Errc::malformed, {"a\\x00b", "control"}},
      {"control character", named("a\\nb"), Errc::malformed, {"a\\x0ab", "control"}},
      {"empty", named(""), Errc::malformed, {"empty name"}},
      {"64 KiB", named(std::string(65536, 'n')), Errc::limit, {"nnn", "65536 bytes", "512"}},
      {"one byte too long", named(std::string(513, 'n')), Errc::limit, {"512"}},
  });
  CHECK(parse(named(std::string(512, 'n'))).entries.front().name.size() == 512);
  CHECK(parse(named("\\u00e9\\ud83d\\ude00")).entries.front().name == "\xc3\xa9\xf0\x9f\x98\x80");
}

TEST_CASE("case 42: 100,000 nested arrays are refused at once", "[formats][safetensors]") {
  const auto start = std::chrono::steady_clock::now();
  const std::string deep(100'000, '[');
  expect_error(Errc::malformed, {kPath, "__metadata__", "an array"},
               [&] { parse(safetensors_file(message("{\"__metadata__\":{\"a\":", deep, "}}"))); });
  expect_error(Errc::malformed, {kPath, "the header is an array"}, [&] { parse(safetensors_file(deep)); });
  expect_error(Errc::malformed, {kPath, "tensor w: shape", "an array"},
               [&] { parse(safetensors_file(with_entry(entry(deep)))); });
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(1));
}

TEST_CASE("case 43: a header with more tensors than the limit is refused in bounded time", "[formats][safetensors]") {
  std::string header = "{";
  for (uint64_t i = 0; i <= kMaxTensors; ++i) {
    header.append("\"").append(std::to_string(i)).append(R"(":{"dtype":"I8","shape":[0],"data_offsets":[0,0]},)");
  }
  header.back() = '}';
  const auto start = std::chrono::steady_clock::now();
  expect_error(Errc::limit, {kPath, "1000000 tensors"}, [&] { parse(safetensors_file(header)); });
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(30));  // also under sanitizers
}

TEST_CASE("case 44: a header may start and end with white space", "[formats][safetensors]") {
  const std::string file = safetensors_file(message("  \n\t", with_entry(entry("[4]")), " \r\n"), std::string(16, 'x'));
  const SafetensorsHeader header = parse(file);
  REQUIRE(header.entries.size() == 1);
  CHECK(header.entries[0].shape == Shape{4});
}

TEST_CASE("case 45: scalars and tensors without elements are read", "[formats][safetensors]") {
  const std::string file = SafetensorsBuilder()
                               .add("none", "F32", {0}, "")
                               .add_f32("scalar", {}, {2.5f})
                               .add("wide", "F16", {3, 0, 5}, "")
                               .build();
  const SafetensorsHeader header = parse(file);
  REQUIRE(header.entries.size() == 3);
  const TensorView scalar = view_of(*header.find("scalar"), header, bytes_of(file), kPath);
  CHECK(scalar.shape.empty());
  CHECK(to_f32(scalar, "scalar") == std::vector<float>{2.5f});
  CHECK(view_of(*header.find("none"), header, bytes_of(file), kPath).bytes.empty());
  CHECK(view_of(*header.find("wide"), header, bytes_of(file), kPath).shape == Shape{3, 0, 5});
}

TEST_CASE("case 46: data that starts at an odd address is read", "[formats][safetensors]") {
  for (const size_t extra : {0u, 1u, 2u, 3u, 5u}) {
    std::string text = with_entry(entry("[2]", "\"F64\""));
    text.append(extra, ' ');
    const std::string file = safetensors_file(text, raw_bytes<double>({1.5, -0.25}));
    const SafetensorsHeader header = parse(file);
    CHECK(to_f32(view_of(header.entries[0], header, bytes_of(file), kPath), "w") == std::vector<float>{1.5f, -0.25f});
  }
}

TEST_CASE("__metadata__ is strings, or null, or absent", "[formats][safetensors]") {
  CHECK(parse(safetensors_file(R"({"__metadata__":{"format":"pt","b":""}})")).metadata ==
        std::vector<std::pair<std::string, std::string>>{{"format", "pt"}, {"b", ""}});
  CHECK(parse(safetensors_file(R"({"__metadata__":null})")).metadata.empty());
  CHECK(parse(safetensors_file("{}")).entries.empty());
}

TEST_CASE("types without a representation are checked for size and refused when read", "[formats][safetensors]") {
  struct Row {
    const char* dtype;
    uint64_t count, bytes;
  };
  for (const Row& row :
       {Row{"F8_E4M3", 3, 3}, Row{"F8_E5M2", 2, 2}, Row{"F8_E8M0", 2, 2}, Row{"F4", 6, 3}, Row{"F6_E2M3", 4, 3},
        Row{"F6_E3M2", 8, 6}, Row{"C64", 2, 16}, Row{"F8_E4M3FNUZ", 1, 1}, Row{"F8_E5M2FNUZ", 1, 1}}) {
    INFO(row.dtype);
    const std::string file =
        SafetensorsBuilder().add("w", row.dtype, {row.count}, std::string(row.bytes, '\1')).build();
    const SafetensorsHeader header = parse(file);
    expect_error(Errc::unsupported, {kPath, "tensor w", row.dtype},
                 [&] { view_of(header.entries[0], header, bytes_of(file), kPath); });
    const std::string wrong =
        SafetensorsBuilder().add("w", row.dtype, {row.count}, std::string(row.bytes + 1, '\1')).build();
    expect_error(Errc::malformed, {kPath, "tensor w", row.dtype}, [&] { parse(wrong); });
  }
}

TEST_CASE("random tensors of every type come back with identical bytes", "[formats][safetensors]") {
  struct Row {
    const char* name;
    DType dtype;
  };
  const std::vector<Row> rows = {
      {"F32", DType::f32}, {"F16", DType::f16}, {"BF16", DType::bf16},   {"F64", DType::f64}, {"I8", DType::i8},
      {"I16", DType::i16}, {"I32", DType::i32}, {"I64", DType::i64},     {"U8", DType::u8},   {"U16", DType::u16},
      {"U32", DType::u32}, {"U64", DType::u64}, {"BOOL", DType::boolean}};
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    struct Expected {
      std::string name;
      Row row;
      Shape shape;
      std::string bytes;
    };
    std::vector<Expected> all;
    SafetensorsBuilder builder;
    for (uint32_t i = 0, count = random() % 12; i < count; ++i) {
      Expected tensor{message("layer.", random() % 1000, ".", i), rows[random() % 13], {}, {}};
      for (uint32_t rank = random() % 5; rank > 0; --rank) tensor.shape.push_back(random() % 6);
      tensor.bytes.resize(element_count(tensor.shape, "test") * dtype_bytes(tensor.row.dtype));
      for (char& byte : tensor.bytes) byte = static_cast<char>(random());
      builder.add(tensor.name, tensor.row.name, tensor.shape, tensor.bytes);
      all.push_back(std::move(tensor));
    }
    const std::string file = builder.build(1 + random() % 9);
    const SafetensorsHeader header = parse(file);
    REQUIRE(header.entries.size() == all.size());
    for (const Expected& tensor : all) {
      const SafetensorsEntry* found = header.find(tensor.name);
      REQUIRE(found != nullptr);
      const TensorView view = view_of(*found, header, bytes_of(file), kPath);
      REQUIRE(view.dtype == tensor.row.dtype);
      REQUIRE(view.shape == tensor.shape);
      REQUIRE(std::string(reinterpret_cast<const char*>(view.bytes.data()), view.bytes.size()) == tensor.bytes);
    }
    CHECK(header.find("layer") == nullptr);
  }
}

TEST_CASE("cutting a good file anywhere is an error, never a shorter tensor", "[formats][safetensors]") {
  const std::string file = SafetensorsBuilder().add_f32("a", {3}, {1, 2, 3}).add_f32("b", {1}, {4}).build();
  for (size_t size = 0; size < file.size(); ++size) {
    expect_error(Errc::malformed, {kPath}, [&] { parse(file.substr(0, size)); });
  }
  CHECK(parse(file).entries.size() == 2);
}

}  // namespace
}  // namespace lathe
