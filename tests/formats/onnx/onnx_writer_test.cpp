#include "formats/onnx/onnx_writer.h"

#include <catch2/catch.hpp>

#include "tests/formats/expect_error.h"
#include "tests/support/golden.h"
#include "tests/support/onnx_file.h"
#include "tests/support/temp_dir.h"

namespace lathe {
namespace {

using test::expect_error;
using test::TempDir;

/// y = x + c, as small as a model can be.
OnnxModel small_model() {
  OnnxModel model;
  model.producer = "P";
  model.producer_version = "1";
  model.name = "g";
  model.nodes.push_back({"Add", {"x", "c"}, {"y"}});
  model.tensors.push_back({"c", OnnxType::i8, {2}, [](const OnnxSink& sink) {
                             const std::vector<int8_t> values = {5, -1};
                             sink(as_bytes_of(values));
                           }});
  model.inputs.push_back({"x", OnnxType::f32, {"n", int64_t{2}}});
  model.outputs.push_back({"y", OnnxType::f32, {"n", int64_t{2}}});
  return model;
}

TEST_CASE("a model has the bytes that its description asks for", "[formats][onnx]") {
  const TempDir dir;
  const uint64_t bytes = write_onnx(dir / "m.onnx", small_model());
  // Worked out by hand from onnx.proto.
  const std::string value_type = "\x12\x0f\x0a\x0d\x08\x01\x12\x09\x0a\x03\x12\x01n\x0a\x02\x08\x02";
  const std::string graph = std::string(
                                "\x0a\x11\x0a\x01x\x0a\x01"
                                "c\x12\x01y\x1a\x01y\x22\x03"
                                "Add",
                                19) +
                            "\x12\x01g" + "\x5a\x14\x0a\x01x" + value_type + "\x62\x14\x0a\x01y" + value_type +
                            "\x2a\x0b\x08\x02\x10\x03\x42\x01"
                            "c\x4a\x02\x05\xff";
  const std::string expected = std::string(
                                   "\x08\x08\x12\x01P\x1a\x01"
                                   "1\x32\x00\x42\x04\x0a\x00\x10\x11",
                                   16) +
                               "\x3a" + static_cast<char>(graph.size()) + graph;
  std::string actual = test::golden_bytes(dir / "m.onnx");
  CHECK(actual == expected);
  CHECK(bytes == actual.size());
}

TEST_CASE("attributes and properties are read back as they were", "[formats][onnx]") {
  const TempDir dir;
  OnnxModel model = small_model();
  model.documentation = "what it is";
  model.properties = {{"kind", "test"}, {"label.0", "bad"}};
  model.nodes[0].attributes = {{"axis", int64_t{-1}}, {"epsilon", 0.5f}, {"perm", std::vector<int64_t>{0, 2, 1}}};
  write_onnx(dir / "m.onnx", model);
  const test::OnnxFile file(dir / "m.onnx");
  CHECK(test::proto_number(file.model, 1) == 8);
  CHECK(test::proto_text(file.model, 6) == "what it is");
  CHECK(test::proto_texts(file.model, 14).size() == 2);
  CHECK(test::proto_text(test::parse_message(test::proto_texts(file.model, 14)[1]), 2) == "bad");
  const auto& attributes = file.nodes.at(0).attributes;
  CHECK(static_cast<int64_t>(test::proto_number(attributes.at("axis"), 3)) == -1);
  CHECK(test::proto_number(attributes.at("axis"), 20) == 2);
  CHECK(test::proto_text(attributes.at("epsilon"), 2) == std::string("\x00\x00\x00\x3f", 4));
  CHECK(test::proto_number(attributes.at("epsilon"), 20) == 1);
  CHECK(attributes.at("perm").count(8) == 3);
  CHECK(test::proto_number(attributes.at("perm"), 20) == 7);
  CHECK(file.inputs == std::vector<std::pair<std::string, std::string>>{{"x", "f32[n, 2]"}});
}

TEST_CASE("a model of 2 GiB is refused before anything is written", "[formats][onnx]") {
  const TempDir dir;
  OnnxModel model = small_model();
  const auto with_rows = [&](uint64_t rows) {
    model.tensors[0].shape = {rows};
    model.tensors[0].write = [](const OnnxSink&) { FAIL("nothing may be written"); };
  };
  with_rows(1);
  const uint64_t rest = onnx_file_bytes(model, "m.onnx") - 1;
  with_rows(kMaxOnnxBytes - rest - 100);
  CHECK(onnx_file_bytes(model, "m.onnx") < kMaxOnnxBytes);
  with_rows(kMaxOnnxBytes);
  expect_error(Errc::limit, {"m.onnx", "2147483647"}, [&] { write_onnx(dir / "m.onnx", model); });
  with_rows(kMaxDim - 1);
  expect_error(Errc::limit, {"m.onnx", "2147483647"}, [&] { write_onnx(dir / "m.onnx", model); });
  CHECK(std::filesystem::is_empty(dir.path()));
}

TEST_CASE("a tensor that gives other bytes than its shape has leaves no file", "[formats][onnx]") {
  const TempDir dir;
  OnnxModel model = small_model();
  model.tensors[0].shape = {3};
  expect_error(Errc::internal, {"m.onnx", "tensor c", "2 of 3"}, [&] { write_onnx(dir / "m.onnx", model); });
  CHECK(std::filesystem::is_empty(dir.path()));
}

TEST_CASE("a name that is not UTF-8 is refused", "[formats][onnx]") {
  const TempDir dir;
  OnnxModel model = small_model();
  model.tensors[0].name = "w\xff";
  expect_error(Errc::malformed, {"m.onnx", "w\\xff", "UTF-8"}, [&] { write_onnx(dir / "m.onnx", model); });
}

}  // namespace
}  // namespace lathe
