#include "formats/gguf/gguf_writer.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>

#include "tests/formats/expect_error.h"
#include "tests/support/gguf_builder.h"
#include "tests/support/temp_dir.h"

namespace lathe {
namespace {

using test::expect_error;
using test::TempDir;

std::string content(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// A tensor whose numbers stand in memory.
GgufOutput output(const std::string& name, GgufType type, const Shape& shape, const std::vector<float>& values) {
  return {name, type, shape, [shape, values](const GgufSink& sink) {
            const size_t columns = shape.empty() ? 1 : shape.back();
            for (size_t i = 0; i < values.size(); i += columns) sink({std::span(values).subspan(i, columns)});
          }};
}

std::map<std::string, GgufField> all_kinds() {
  return {{"text", std::string("a\nb")},
          {"yes", true},
          {"u", uint32_t{7}},
          {"minus", int32_t{-7}},
          {"wide", uint64_t{1} << 40},
          {"x", 0.25f},
          {"list", GgufStrings{"p", "q"}},
          {"types", std::vector<int32_t>{1, -2}}};
}

TEST_CASE("a GGUF file that was written is read back with its keys and tensors", "[formats][gguf]") {
  const TempDir folder;
  std::vector<float> values(64);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) - 31;
  const uint64_t bytes =
      write_gguf(folder / "m.gguf", all_kinds(),
                 {output("a", GgufType::f32, {3}, {1, 2, 3}), output("b", GgufType::q8_0, {2, 32}, values),
                  output("c", GgufType::f16, {2, 1, 2}, {1, 0.5f, -2, 65504}), output("s", GgufType::f32, {}, {9})});
  const GgufFile file(folder / "m.gguf");
  CHECK(file.files().at(0).bytes == bytes);
  CHECK(file.text("text") == "a\nb");
  CHECK(file.boolean("yes", false));
  CHECK(file.integer("u", 0, 10) == 7);
  CHECK(std::get<int64_t>(file.values().find("minus")->second) == -7);
  CHECK(file.integer("wide", 0, ~uint64_t{0}) == uint64_t{1} << 40);
  CHECK(file.number("x") == 0.25);
  CHECK(file.strings("list") == GgufStrings{"p", "q"});
  CHECK(file.integers_or_none("types") == GgufIntegers{1, -2});
  CHECK(decode(*file.find("a")) == std::vector<float>{1, 2, 3});
  CHECK(file.find("b")->shape == Shape{2, 32});
  CHECK(decode(*file.find("b"))[32] == Approx(1).margin(0.2));
  CHECK(file.find("c")->shape == Shape{2, 1, 2});
  CHECK(decode(*file.find("c")) == std::vector<float>{1, 0.5f, -2, 65504});
  CHECK(decode(*file.find("s")) == std::vector<float>{9});
}

TEST_CASE("a written GGUF file has the bytes of the format", "[formats][gguf]") {
  const TempDir folder;
  write_gguf(folder / "m.gguf", {{"b", uint32_t{1}}, {"a", std::string("x")}},
             {output("w", GgufType::f32, {2, 4}, {1, 2, 3, 4, 5, 6, 7, 8}), output("v", GgufType::f32, {1}, {9})});
  const std::string expected = test::GgufBuilder()
                                   .text("a", "x")
                                   .u32("b", 1)
                                   .tensor_f32("w", {4, 2}, {1, 2, 3, 4, 5, 6, 7, 8})
                                   .tensor_f32("v", {1}, {9})
                                   .build();
  CHECK(content(folder / "m.gguf") == expected);
}

TEST_CASE("nothing is left of a GGUF file whose tensors cannot be written", "[formats][gguf]") {
  const TempDir folder;
  const std::filesystem::path path = folder.write("m.gguf", "what was there");
  const auto refused = [&](Errc code, const std::vector<std::string>& parts, const GgufOutput& tensor) {
    expect_error(code, parts, [&] { write_gguf(path, {}, {tensor}); });
    CHECK(content(path) == "what was there");
    CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  refused(Errc::malformed, {"m.gguf", "tensor w, row 1", "number 0 is nan"},
          output("w", GgufType::f32, {2, 1}, {1, nan}));
  refused(Errc::limit, {"tensor w, row 0", "1e+06", "half precision"}, output("w", GgufType::f16, {1}, {1e6f}));
  refused(Errc::internal, {"tensor w has 1 rows"}, output("w", GgufType::f32, {2, 1}, {1}));
  refused(Errc::internal, {"tensor w", "cannot be written"}, output("w", GgufType::q5_k, {256}, {}));
  refused(Errc::malformed, {"tensor name", "1 to 63 bytes"}, output(std::string(64, 'n'), GgufType::f32, {1}, {1}));
  expect_error(Errc::malformed, {"metadata key \"\""}, [&] { write_gguf(path, {{"", true}}, {}); });
  expect_error(Errc::malformed, {"key", "not UTF-8"}, [&] { write_gguf(path, {{"key", std::string("\xff")}}, {}); });
  expect_error(Errc::cannot_create, {"none"}, [&] { write_gguf(folder / "none" / "m.gguf", {}, {}); });
}

}  // namespace
}  // namespace lathe
