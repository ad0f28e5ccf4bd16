#include "formats/safetensors/safetensors_writer.h"

#include <array>
#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "formats/artifact/mapped_file.h"
#include "formats/checkpoint.h"
#include "formats/safetensors/safetensors.h"
#include "tests/formats/expect_error.h"
#include "tests/support/safetensors_builder.h"
#include "tests/support/temp_dir.h"

namespace lathe {
namespace {

using test::expect_error;
using test::raw_bytes;
using test::TempDir;

Bytes bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST_CASE("a written safetensors file has the layout of the format to the byte", "[formats][safetensors]") {
  const TempDir dir;
  const std::string floats = raw_bytes<float>({1, -2});
  const std::string halves = raw_bytes<uint16_t>({0x3c00, 0x4000, 0x4200});
  const std::string counts = raw_bytes<int64_t>({-7});
  write_safetensors(dir / "m.safetensors",
                    {{"b", {DType::f16, {3}, bytes_of(halves)}},
                     {"c", {DType::f32, {1, 2}, bytes_of(floats)}},
                     {"d", {DType::i64, {}, bytes_of(counts)}},
                     {"a", {DType::bf16, {0, 5}, {}}}},
                    {{"z", "line\n\"quoted\""}, {"format", "pt"}});
  std::string header = R"({"__metadata__": {"format": "pt", "z": "line\n\"quoted\""}, )"
                       R"("d": {"dtype": "I64", "shape": [], "data_offsets": [0, 8]}, )"
                       R"("c": {"dtype": "F32", "shape": [1, 2], "data_offsets": [8, 16]}, )"
                       R"("a": {"dtype": "BF16", "shape": [0, 5], "data_offsets": [16, 16]}, )"
                       R"("b": {"dtype": "F16", "shape": [3], "data_offsets": [16, 22]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  CHECK(content(dir / "m.safetensors") == test::safetensors_file(header, counts + floats + halves));
}

TEST_CASE("what is written to safetensors is read back the same", "[formats][safetensors]") {
  const TempDir dir;
  // One row a type; an odd number of elements, so that narrow ones would push wide ones off their alignment.
  constexpr std::array kTypes = {DType::f32, DType::f16, DType::bf16, DType::f64, DType::i8,  DType::i16,    DType::i32,
                                 DType::i64, DType::u8,  DType::u16,  DType::u32, DType::u64, DType::boolean};
  std::map<std::string, std::string> data;
  std::map<std::string, TensorView> tensors;
  for (const DType type : kTypes) {
    std::string bytes(3 * dtype_bytes(type), '\0');
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 + static_cast<size_t>(type));
    data[dtype_name(type)] = bytes;
  }
  for (const DType type : kTypes) {
    const std::string name = dtype_name(type);
    tensors[name] = {type, {3, 1}, bytes_of(data[name])};
  }
  const std::map<std::string, std::string> metadata = {{"step", "12"}, {"Größe", "5 µm"}, {"", ""}};
  write_safetensors(dir / "state", tensors, metadata);

  const MappedFile file(dir / "state");
  const SafetensorsHeader header = parse_safetensors(file.bytes(), "state");
  CHECK(std::map<std::string, std::string>(header.metadata.begin(), header.metadata.end()) == metadata);
  CHECK(header.data_offset % 8 == 0);
  REQUIRE(header.entries.size() == tensors.size());
  for (const SafetensorsEntry& entry : header.entries) {
    CAPTURE(entry.name);
    const TensorView read = view_of(entry, header, file.bytes(), "state");
    CHECK(read.dtype == tensors[entry.name].dtype);
    CHECK(read.shape == tensors[entry.name].shape);
    CHECK(std::equal(read.bytes.begin(), read.bytes.end(), bytes_of(data[entry.name]).begin()));
    CHECK(reinterpret_cast<uintptr_t>(read.bytes.data()) % dtype_bytes(read.dtype) == 0);
  }
}

TEST_CASE("a safetensors file may hold nothing, or metadata alone", "[formats][safetensors]") {
  const TempDir dir;
  write_safetensors(dir / "none", {});
  CHECK(content(dir / "none") == test::safetensors_file("{}      "));
  write_safetensors(dir / "note", {}, {{"a", "b"}});
  const MappedFile file(dir / "note");
  CHECK(parse_safetensors(file.bytes(), "note").metadata.at(0) == std::pair<std::string, std::string>("a", "b"));
}

TEST_CASE("tensors that could not be read back are refused and leave the old file alone", "[formats][safetensors]") {
  const TempDir dir;
  const std::filesystem::path path = dir.write("m.safetensors", "old");
  const std::string four(4, 'x');
  const auto refuse = [&](const std::string& name, Shape shape, Errc code, std::vector<std::string> parts) {
    parts.push_back(path.string());
    expect_error(code, parts, [&] {
      write_safetensors(path, {{name, {DType::f32, std::move(shape), bytes_of(four)}}});
    });
  };
  refuse("w", {2}, Errc::internal, {"tensor w", "[2]", "4 bytes", "needs 8"});
  refuse("", {1}, Errc::malformed, {"empty name"});
  refuse("a\nb", {1}, Errc::malformed, {"control characters"});
  refuse("\xff", {1}, Errc::malformed, {"tensor name", "UTF-8"});
  refuse(std::string(513, 'n'), {1}, Errc::limit, {"512"});
  refuse("__metadata__", {1}, Errc::malformed, {"__metadata__"});
  refuse("w", Shape(9, 1), Errc::limit, {"9 dimensions", "8"});
  expect_error(Errc::malformed, {"metadata value", "UTF-8"}, [&] { write_safetensors(path, {}, {{"k", "\x80"}}); });
  expect_error(Errc::malformed, {"metadata key", "UTF-8"}, [&] { write_safetensors(path, {}, {{"\x80", "v"}}); });
  CHECK(content(path) == "old");
  expect_error(Errc::cannot_create, {"absent"}, [&] { write_safetensors(dir / "absent/m.safetensors", {}); });
}

}  // namespace
}  // namespace lathe
