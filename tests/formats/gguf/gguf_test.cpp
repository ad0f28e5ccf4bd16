#include "formats/gguf/gguf.h"

#include <catch2/catch.hpp>
#include <chrono>

#include "tests/formats/expect_error.h"
#include "tests/support/gguf_builder.h"
#include "tests/support/temp_dir.h"

namespace lathe {
namespace {

using test::expect_error;
using test::gguf_number;
using test::gguf_string;
using test::GgufBuilder;

constexpr const char* kPath = "some/model.gguf";
constexpr uint64_t kHuge = ~uint64_t{0};

Bytes bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

void parse(const std::string& file) { GgufFile(bytes_of(file), kPath); }

struct BadFile {
  const char* name;
  std::string file;
  std::vector<std::string> parts;  // besides the path
  Errc code = Errc::malformed;
};

void expect_all_refused(const std::vector<BadFile>& cases) {
  test::expect_all_refused(cases, kPath, [](const BadFile& bad) { parse(bad.file); });
}

GgufBuilder with_tensor() { return GgufBuilder().tensor_f32("w", {4}, {1, 2, 3, 4}); }
std::string with_pair(std::string_view key, uint32_t type, std::string_view value) {
  return GgufBuilder().pair(key, type, value).tensor_f32("w", {4}, {1, 2, 3, 4}).build();
}
std::string with_shape(const std::vector<uint64_t>& dims, uint32_t type = 0) {
  return GgufBuilder().tensor("w", dims, type, std::string(64, 'x')).build();
}
std::string array_head(uint32_t type, uint64_t count) { return gguf_number(type) + gguf_number(count); }

template <class Change>
std::string changed(Change change) {
  GgufBuilder builder = with_tensor();
  change(builder);
  return builder.build();
}

TEST_CASE("a GGUF file with a bad head is refused", "[formats][gguf]") {
  const auto version = [](uint32_t number) { return changed([&](GgufBuilder& b) { b.version = number; }); };
  const auto tensors = [](uint64_t count) { return changed([&](GgufBuilder& b) { b.tensor_count = count; }); };
  const auto pairs = [](uint64_t count) { return changed([&](GgufBuilder& b) { b.pair_count = count; }); };
  expect_all_refused({
      {"empty", "", {"magic"}},
      {"case 126: magic", changed([](GgufBuilder& b) { b.magic = "GGML"; }), {"does not begin with \"GGUF\""}},
      {"case 127: version 0", version(0), {"version is 0"}},
      {"case 127: version 1", version(1), {"version is 1", "2 and 3"}, Errc::unsupported},
      {"case 127: version 4", version(4), {"version is 4", "2 and 3"}, Errc::unsupported},
      {"case 128: big-endian", version(0x03000000), {"version 3", "big-endian"}, Errc::unsupported},
      {"case 129: 2^64-1 tensors", tensors(kHuge), {"tensor count is 18446744073709551615", "at most"}},
      {"case 129: 2^40 tensors", tensors(uint64_t{1} << 40), {"tensor count is 1099511627776"}},
      {"case 130: 2^64-1 pairs", pairs(kHuge), {"metadata count is 18446744073709551615"}},
      {"case 130: 2^40 pairs", pairs(uint64_t{1} << 40), {"metadata count is 1099511627776"}},
      {"one pair too many", pairs(1), {"name of tensor 0"}},
  });
}

TEST_CASE("GGUF metadata that breaks its format is refused", "[formats][gguf]") {
  const std::string one = gguf_number(uint32_t{1});
  const auto raw_key = [](uint64_t length) {
    std::string file = GgufBuilder().build();
    file.replace(16, 8, gguf_number(uint64_t{1}));
    return file + gguf_number(length) + std::string(32, 'k');
  };
  expect_all_refused({
      {"case 131: key length 2^64-1", raw_key(kHuge), {"metadata key 0", "18446744073709551615", "only 32 bytes"}},
      {"case 131: key longer than the file", raw_key(1000), {"length 1000", "only 32 bytes"}},
      {"case 132: empty key", with_pair("", 4, one), {"metadata key 0 is empty"}},
      {"case 132: duplicate key", GgufBuilder().u32("k", 1).u32("k", 1).build(), {"key k appears twice"}},
      {"control character in a key", with_pair("a\nb", 4, one), {"a\\x0ab", "control characters"}},
      {"case 133: type 13", with_pair("k", 13, one), {"key k has type 13", "0 to 12"}},
      {"case 133: type -1", with_pair("k", 0xffffffff, one), {"key k has type 4294967295"}},
      {"case 134: array of arrays",
       with_pair("k", 9, array_head(9, 1)),
       {"key k is an array of arrays"},
       Errc::unsupported},
      {"case 135: array of 2^63", with_pair("k", 9, array_head(10, uint64_t{1} << 63)), {"9223372036854775808"}},
      {"case 135: array of 2^61+1",
       with_pair("k", 9, array_head(10, (uint64_t{1} << 61) + 1)),
       {"key k: number of elements is 2305843009213693953", "at most"}},
      {"array of type 99", with_pair("k", 9, array_head(99, 0)), {"key k: elements has type 99"}},
      {"case 136: bool 2", with_pair("k", 7, "\2"), {"key k is the boolean 2", "0 or 1"}},
      {"bool 3 in an array", with_pair("k", 9, array_head(7, 1) + "\3"), {"key k is the boolean 3"}},
      {"case 137: not UTF-8", with_pair("k", 8, gguf_string("\xff\xfe")), {"key k is \"\\xff\\xfe\"", "not UTF-8"}},
      {"case 137: not UTF-8 in an array", with_pair("k", 9, array_head(8, 1) + gguf_string("\xc0\x80")), {"not UTF-8"}},
      {"u64 beyond i64 in an array",
       with_pair("k", 9, array_head(10, 1) + gguf_number(kHuge)),
       {"key k: element 0 is 18446744073709551615"},
       Errc::limit},
      {"several files", GgufBuilder().u32("split.count", 2).build(), {"one of several parts"}, Errc::unsupported},
  });
}

TEST_CASE("a huge array that a small GGUF file claims is refused at once", "[formats][gguf]") {
  const auto begin = std::chrono::steady_clock::now();
  expect_error(Errc::malformed, {"number of elements"},
               [] { parse(with_pair("k", 9, array_head(0, uint64_t{1} << 61))); });
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(1));
}

TEST_CASE("a GGUF alignment that is no power of two from 8 to 65536 is refused", "[formats][gguf]") {
  const auto alignment = [](uint32_t value) { return with_pair("general.alignment", 4, gguf_number(value)); };
  const std::vector<std::string> bound = {"general.alignment", "power of two from 8 to 65536"};
  expect_all_refused({
      {"case 138: 0", alignment(0), bound},
      {"case 138: 3", alignment(3), bound},
      {"case 138: 4", alignment(4), bound},
      {"case 138: 13", alignment(13), bound},
      {"24", alignment(24), bound},
      {"case 138: 2^30", alignment(1u << 30), bound},
      {"case 138: i32", with_pair("general.alignment", 5, gguf_number(32)), {"has type i32, expected u32"}},
      {"case 138: string", with_pair("general.alignment", 8, gguf_string("32")), {"has type string, expected u32"}},
  });
  GgufBuilder builder;
  builder.alignment = 64;
  const std::string file = builder.u32("general.alignment", 64).tensor_f32("a", {1}, {5}).build();
  CHECK(decode(*GgufFile(bytes_of(file), kPath).find("a")) == std::vector<float>{5});
}

TEST_CASE("GGUF tensors with bad names, ranks or types are refused", "[formats][gguf]") {
  std::string many_dimensions = with_shape({4});
  many_dimensions.replace(24 + 9, 4, gguf_number(0xffffffffu));  // after the head, and the name with its length
  const auto named = [](std::string_view name) { return GgufBuilder().tensor_f32(name, {1}, {1}).build(); };
  expect_all_refused({
      {"case 139: 64 bytes", named(std::string(64, 'n')), {"nnn", "64 bytes", "at most 63"}},
      {"case 139: empty", named(""), {"name of tensor 0 is empty"}},
      {"case 139: NUL", named(std::string_view("w\0a", 3)), {"w\\x00a", "control characters"}},
      {"case 139: duplicate", with_tensor().tensor_f32("w", {1}, {1}).build(), {"tensor w appears twice"}},
      {"case 140: rank 5", with_shape({1, 1, 1, 1, 1}), {"tensor w has 5 dimensions", "at most 4"}},
      {"case 140: rank 2^32-1", many_dimensions, {"tensor w has 4294967295 dimensions", "at most 4"}},
      {"case 148: type -1", with_shape({4}, 0xffffffff), {"tensor w has type 4294967295"}},
      {"case 148: type 1000", with_shape({4}, 1000), {"tensor w has type 1000", "does not have"}},
      {"case 148: type 4", with_shape({4}, 4), {"tensor w has type 4", "does not have"}},
      {"a type that is not read", with_shape({256}, 16), {"tensor w has type IQ2_XXS", "not read"}, Errc::unsupported},
      {"case 149: half a block", with_shape({16, 2}, 2), {"tensor w has rows of 16", "multiple of 32 for Q4_0"}},
      {"case 149: Q6_K", with_shape({32}, 14), {"tensor w has rows of 32", "multiple of 256 for Q6_K"}},
  });
}

TEST_CASE("a GGUF tensor without dimensions is a scalar", "[formats][gguf]") {
  const std::string file = GgufBuilder().tensor_f32("s", {}, {2.5f}).build();
  const GgufFile gguf(bytes_of(file), kPath);
  CHECK(gguf.find("s")->shape.empty());
  CHECK(decode(*gguf.find("s")) == std::vector<float>{2.5f});
}

TEST_CASE("GGUF shapes whose size cannot be are refused", "[formats][gguf]") {
  const uint64_t two16 = 1u << 16, two31 = uint64_t{1} << 31, two32 = uint64_t{1} << 32;
  expect_all_refused({
      {"case 141: negative", with_shape({4, kHuge}), {"tensor w: dimension 1 is 18446744073709551615"}},
      {"case 142: zero", with_shape({4, 0}), {"tensor w: dimension 1 is 0", "expected 1 to"}},
      {"case 143: wraps to 0", with_shape({two32, two32}), {"tensor w", "overflows"}},
      {"case 144: 2^63 numbers", with_shape({two31, two32}), {"tensor w", "overflows"}},
      {"case 145: four of 2^16", with_shape({two16, two16, two16, two16}), {"tensor w", "overflows"}},
      {"case 146: 2^60", with_shape({uint64_t{1} << 60, 16}), {"dimension 0 is 1152921504606846976"}},
      {"case 147: 2^61 f64", with_shape({uint64_t{1} << 61}, 28), {"dimension 0 is 2305843009213693952"}},
      {"case 147: 2^62 f32", with_shape({two31, two31}), {"tensor w", "overflows"}},
      {"case 152: 2^63-64 bytes",
       GgufBuilder()
           .tensor("a", {(uint64_t{1} << 63) - 64}, 24, "")
           .tensor("b", {(uint64_t{1} << 63) - 64}, 24, "", (uint64_t{1} << 63) - 64)
           .build(),
       {"tensor a: dimension 0 is 9223372036854775744"}},
  });
}

TEST_CASE("GGUF tensors that do not tile the data are refused", "[formats][gguf]") {
  const std::string data(32, 'x');
  const auto second_at = [&](uint64_t offset) {
    return GgufBuilder().tensor("a", {8}, 0, data).tensor("b", {8}, 0, data, offset).build();
  };
  const std::string good = second_at(32);
  expect_all_refused({
      {"case 150: unaligned", second_at(40), {"tensor b has offset 40", "multiple of 32"}},
      {"case 150: overlapping", second_at(0), {"tensor b has offset 0, expected 32"}},
      {"case 150: hole", second_at(64), {"tensor b has offset 64, expected 32"}},
      {"case 150: 2^64-64", second_at(kHuge - 63), {"tensor b has offset 18446744073709551552"}},
      {"case 151: one byte short",
       good.substr(0, good.size() - 1),
       {"tensor b", "32 bytes from offset 32", "63 bytes"}},
      {"case 151: no data", good.substr(0, good.size() - 64), {"tensor a", "0 bytes"}},
      {"case 151: ends in the descriptions", good.substr(0, 60), {"tensor"}},
      {"bytes after the data", good + std::string(32, '\0'), {"32 bytes follow the last tensor"}},
      {"beyond 2^48",
       GgufBuilder().tensor("a", {uint64_t{1} << 40, 128}, 0, data).build(),
       {"tensor a has 562949953421312 bytes from offset 0, but the data has 32 bytes"}},
  });
}

TEST_CASE("any cut of a GGUF file is an error that names the file", "[formats][gguf]") {
  const std::string file = GgufBuilder()
                               .text("a", "text")
                               .strings("b", {"x", "yy"})
                               .integers("c", {1, -2})
                               .tensor_f32("w", {4, 2}, {1, 2, 3, 4, 5, 6, 7, 8})
                               .build();
  for (size_t size = 0; size < file.size(); ++size) {
    const std::string cut = file.substr(0, size);
    CAPTURE(size);
    expect_error(Errc::malformed, {kPath}, [&] { parse(cut); });
  }
}

TEST_CASE("GGUF metadata is read with its types and bounds", "[formats][gguf]") {
  const std::string file = GgufBuilder()
                               .u32("n", 7)
                               .pair("minus", 5, gguf_number(-3))
                               .f32("x", 0.5f)
                               .f32("nan", std::numeric_limits<float>::quiet_NaN())
                               .pair("yes", 7, "\1")
                               .text("name", "a \"b\"")
                               .strings("list", {"a", "b"})
                               .integers("ids", {4, -5})
                               .build();
  const GgufFile gguf(bytes_of(file), kPath);
  CHECK(gguf.integer("n", 0, 7) == 7);
  CHECK(gguf.integer("absent", 0, 7, 3) == 3);
  CHECK(gguf.number("x") == 0.5);
  CHECK(gguf.number("absent", 2.5) == 2.5);
  CHECK(gguf.boolean("yes", false));
  CHECK_FALSE(gguf.boolean("absent", false));
  CHECK(gguf.text("name") == "a \"b\"");
  CHECK(gguf.strings("list") == GgufStrings{"a", "b"});
  CHECK(gguf.integers_or_none("ids") == GgufIntegers{4, -5});
  CHECK(gguf.integers_or_none("absent").empty());
  expect_error(Errc::malformed, {kPath, "key absent is missing"}, [&] { gguf.text("absent"); });
  expect_error(Errc::malformed, {kPath, "key n is 7", "from 0 to 6"}, [&] { gguf.integer("n", 0, 6); });
  expect_error(Errc::malformed, {"key minus is -3", "from 0 to 9"}, [&] { gguf.integer("minus", 0, 9); });
  expect_error(Errc::malformed, {"key x is 0.5", "integer"}, [&] { gguf.integer("x", 0, 9); });
  expect_error(Errc::malformed, {"key n is 7", "floating point"}, [&] { gguf.number("n"); });
  expect_error(Errc::malformed, {"key nan is nan", "finite"}, [&] { gguf.number("nan"); });
  expect_error(Errc::malformed, {"key n is 7", "true or false"}, [&] { gguf.boolean("n", true); });
  expect_error(Errc::malformed, {"key list is an array of 2", "a string"}, [&] { gguf.text("list"); });
  expect_error(Errc::malformed, {"key ids", "array of strings"}, [&] { gguf.strings("ids"); });
  expect_error(Errc::malformed, {"key list", "array of integers"}, [&] { gguf.integers_or_none("list"); });
}

TEST_CASE("a GGUF file of version 2 is read, and one that is not there is no input", "[formats][gguf]") {
  const test::TempDir folder;
  GgufBuilder builder = with_tensor();
  builder.version = 2;
  const GgufFile file(folder.write("m.gguf", builder.build()));
  CHECK(decode(*file.find("w")) == std::vector<float>{1, 2, 3, 4});
  CHECK(file.find("v") == nullptr);
  expect_error(Errc::no_input, {"none.gguf"}, [&] { GgufFile(folder / "none.gguf"); });
}

TEST_CASE("a GGUF model in several parts is read from its first", "[formats][gguf]") {
  const test::TempDir folder;
  const auto part = [&](size_t number, uint32_t split_no, const char* tensor, uint32_t count = 2,
                        uint32_t tensors = 2) {
    GgufBuilder builder;
    builder.u32("split.no", split_no).u32("split.count", count).u32("split.tensors.count", tensors);
    builder.tensor_f32(tensor, {2}, {static_cast<float>(number), 5});
    return folder.write(message("m-0000", number, "-of-00002.gguf"), builder.build());
  };
  const auto first = part(1, 0, "a");
  expect_error(Errc::no_input, {"m-00002-of-00002.gguf"}, [&] { GgufFile{first}; });
  const auto second = part(2, 1, "b");
  const GgufFile file(first);
  CHECK(decode(*file.find("a")) == std::vector<float>{1, 5});
  CHECK(decode(*file.find("b")) == std::vector<float>{2, 5});
  CHECK(file.files().size() == 2);
  CHECK(file.path_of(*file.find("b")) == second.string());
  expect_error(Errc::usage, {"m-00002-of-00002.gguf", "key split.no is 1", "the first of the 2"},
               [&] { GgufFile{second}; });
  part(2, 0, "b");
  expect_error(Errc::malformed, {"m-00002", "key split.no is 0, expected 1"}, [&] { GgufFile{first}; });
  part(2, 1, "b", 3);
  expect_error(Errc::malformed, {"m-00002", "key split.count is 3, expected 2"}, [&] { GgufFile{first}; });
  part(2, 1, "a");
  expect_error(Errc::malformed, {"m-00002", "tensor a is in two parts"}, [&] { GgufFile{first}; });
  part(2, 1, "b");
  part(1, 0, "a", 2, 3);
  expect_error(Errc::malformed, {"split.tensors.count is 3", "2 tensors"}, [&] { GgufFile{first}; });
  const auto renamed = folder.write("other.gguf", GgufBuilder().u32("split.no", 0).u32("split.count", 2).build());
  expect_error(Errc::usage, {"other.gguf", "-00001-of-00002.gguf"}, [&] { GgufFile{renamed}; });
}

}  // namespace
}  // namespace lathe
