#include "compress/export/onnx/export_onnx.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <limits>

#include "compress/methods/encode.h"
#include "compress/source/task.h"
#include "formats/artifact/artifact_writer.h"
#include "formats/artifact/checksum.h"
#include "tests/formats/expect_error.h"
#include "tests/support/golden.h"
#include "tests/support/onnx_file.h"
#include "tests/support/programs.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_artifact.h"

namespace lathe {
namespace {

using test::expect_error;
using test::OnnxFile;
using test::TempDir;
using Names = std::vector<std::pair<std::string, std::string>>;

OnnxExport export_golden(const std::string& name, std::optional<OnnxExportType> type,
                         const std::filesystem::path& output) {
  return export_onnx(Artifact::open(test::data_path("golden/" + name + ".lathe")), type, output);
}

/// [rows, columns] -> [columns, rows]
template <class T>
std::vector<T> transposed(const std::vector<T>& values, size_t rows) {
  const size_t columns = values.size() / rows;
  std::vector<T> out(values.size());
  for (size_t i = 0; i < values.size(); ++i) out[i % columns * rows + i / columns] = values[i];
  return out;
}

// Nothing is read before it is there, every name is written once, and the one set of operators is ONNX's own.
void check_graph(const OnnxFile& file) {
  std::set<std::string> known;
  for (const auto& [name, type] : file.inputs) CHECK(known.insert(name).second);
  for (const auto& [name, tensor] : file.tensors) CHECK(known.insert(name).second);
  for (const test::OnnxFileNode& node : file.nodes) {
    for (const std::string& input : node.inputs) {
      INFO(node.op << " reads " << input);
      CHECK(known.contains(input));
    }
    for (const std::string& output : node.outputs) CHECK(known.insert(output).second);
  }
  for (const auto& [name, type] : file.outputs) CHECK(known.contains(name));
  const test::ProtoFields opset = test::parse_message(test::proto_text(file.model, 8));
  CHECK(test::proto_text(opset, 1).empty());
  CHECK(test::proto_number(opset, 2) == 17);
}

/// A program of the given ops over the weights of encoder_program().
std::filesystem::path write_program(const Program& program, const std::filesystem::path& path,
                                    const std::string& text_prefix = {}) {
  ArtifactWriter writer(path);
  for (const std::string& name : program.weights) {
    const Shape shape = test::shape_in_encoder(name);
    writer.add_tensor(name, f32_buffer(shape, std::vector<float>(element_count(shape, name), 0.5f)).view());
  }
  TokenizerSpec tokenizer = test::tiny_tokenizer();
  tokenizer.text_prefix = text_prefix;
  writer.set_section(layout::Section::tokenizer, encode_tokenizer(tokenizer));
  writer.set_section(layout::Section::task, "kind=sentence-embedding\ndimension=4\npooling=mean\nnormalize=0\n");
  writer.finish(program);
  return path;
}

TEST_CASE("an exported encoder has the inputs and outputs that its users know", "[compress][onnx]") {
  const TempDir dir;
  const OnnxExport result = export_golden("encoder-int8", OnnxExportType::f32, dir / "m.onnx");
  CHECK(result.bytes == std::filesystem::file_size(dir / "m.onnx"));
  const OnnxFile file(dir / "m.onnx");
  check_graph(file);
  CHECK(file.inputs == Names{{"input_ids", "7[batch, sequence]"},
                             {"attention_mask", "7[batch, sequence]"},
                             {"token_type_ids", "7[batch, sequence]"}});
  CHECK(file.outputs ==
        Names{{"sentence_embedding", "f32[batch, 32]"}, {"token_embeddings", "f32[batch, sequence, 32]"}});
  CHECK(file.count("Softmax") == 2);
  CHECK(file.count("LayerNormalization") == 5);
  CHECK(file.count("Erf") == 2);
  CHECK(file.count("MatMul") == 12 + 4);
  REQUIRE(result.notes.size() == 1);
  CHECK_THAT(result.notes[0], Catch::Matchers::Contains("at most 40 tokens"));
}

TEST_CASE("a model without segments has no input for them", "[compress][onnx]") {
  const TempDir dir;
  export_onnx(Artifact::open(test::write_tiny(dir / "m.lathe")), {}, dir / "m.onnx");
  const OnnxFile file(dir / "m.onnx");
  check_graph(file);
  CHECK(file.inputs == Names{{"input_ids", "7[batch, sequence]"}, {"attention_mask", "7[batch, sequence]"}});
}

TEST_CASE("an export of the same artifact to ONNX has the same bytes", "[compress][onnx]") {
  const TempDir dir;
  export_golden("encoder-mixed", {}, dir / "a.onnx");
  export_golden("encoder-mixed", {}, dir / "b.onnx");
  CHECK(test::golden_bytes(dir / "a.onnx") == test::golden_bytes(dir / "b.onnx"));
}

TEST_CASE("what goes before every text is said", "[compress][onnx]") {
  const TempDir dir;
  const std::filesystem::path path = write_program(test::encoder_program(), dir / "m.lathe", "query: ");
  const OnnxExport result = export_onnx(Artifact::open(path), {}, dir / "m.onnx");
  CHECK_THAT(result.notes.at(0), Catch::Matchers::Contains("\"query: \" before every text"));
}

TEST_CASE("an exported classifier gives logits and says its labels", "[compress][onnx]") {
  const TempDir dir;
  export_golden("classifier-f32", std::nullopt, dir / "m.onnx");
  const OnnxFile file(dir / "m.onnx");
  check_graph(file);
  REQUIRE(file.outputs.size() == 1);
  CHECK(file.outputs[0].first == "logits");
  std::map<std::string, std::string> properties;
  for (const std::string& text : test::proto_texts(file.model, 14)) {
    const test::ProtoFields property = test::parse_message(text);
    properties[test::proto_text(property, 1)] = test::proto_text(property, 2);
  }
  CHECK(properties["kind"] == "classification");
  CHECK_FALSE(properties["label.0"].empty());
  CHECK(file.outputs[0].second == message("f32[batch, ", properties["dimension"], "]"));
}

TEST_CASE("linear weights are written with rows and columns swapped", "[compress][onnx]") {
  const TempDir dir;
  export_golden("encoder-int4-group-7-bitmask", OnnxExportType::f32, dir / "f32.onnx");
  export_golden("encoder-int4-group-7-bitmask", OnnxExportType::int8, dir / "int8.onnx");
  const Artifact artifact = Artifact::open(test::data_path("golden/encoder-int4-group-7-bitmask.lathe"));
  const OnnxFile dense(dir / "f32.onnx"), integers(dir / "int8.onnx");
  size_t compared = 0;
  for (const Op& op : artifact.program().ops) {
    if (!op.is<ops::Linear>()) continue;
    const std::string& name = artifact.program().weights[op.weights[0]];
    INFO(name);
    const EncodedTensor& tensor = artifact.tensor(name).tensor;
    const std::vector<float> decoded = transposed(decode(tensor), tensor.rows());
    CHECK(dense.tensors.at(name).shape == std::vector<uint64_t>{tensor.cols(), tensor.rows()});
    CHECK(dense.tensors.at(name).values<float>() == decoded);
    const auto& stored = integers.tensors.at(name);
    const std::vector<int8_t> values = stored.values<int8_t>();
    const std::vector<float> scales = integers.tensors.at(name + "/scale").values<float>();
    CHECK(stored.type == 3);
    REQUIRE(scales.size() == tensor.rows());
    std::vector<float> product(values.size());
    for (size_t i = 0; i < values.size(); ++i) product[i] = scales[i % scales.size()] * static_cast<float>(values[i]);
    CHECK(product == decoded);
    CHECK(std::count(values.begin(), values.end(), int8_t{0}) == static_cast<std::ptrdiff_t>(count_zeros(tensor)));
    ++compared;
  }
  CHECK(compared == 12);
}

TEST_CASE("the types of an export differ in what they do with integers", "[compress][onnx]") {
  const TempDir dir;
  SECTION("int8 decodes them before the product") {
    const OnnxExport result = export_golden("encoder-int8", OnnxExportType::int8, dir / "m.onnx");
    const OnnxFile file(dir / "m.onnx");
    check_graph(file);
    CHECK(file.count("DequantizeLinear") == 12);
    CHECK(file.count("MatMulInteger") == 0);
    CHECK(file.tensors.at("embeddings.word_embeddings.weight").type == 3);
    CHECK(result.types == std::vector<std::pair<std::string, uint64_t>>{{"f32", 22}, {"int8", 15}});
  }
  SECTION("int8-dynamic rounds each input once, however many layers read it") {
    export_golden("encoder-int8", OnnxExportType::int8_dynamic, dir / "m.onnx");
    const OnnxFile file(dir / "m.onnx");
    check_graph(file);
    CHECK(file.count("DequantizeLinear") == 0);
    CHECK(file.count("MatMulInteger") == 12);
    CHECK(file.count("ReduceMin") == 2 * 4);
    CHECK(file.count("QuantizeLinear") == 2 * 4);
    CHECK(file.count("MatMul") == 4);
  }
  SECTION("without a type, an artifact with integers keeps them") {
    CHECK(export_golden("encoder-int8", std::nullopt, dir / "m.onnx").type == OnnxExportType::int8_dynamic);
    CHECK(export_golden("classifier-f16", std::nullopt, dir / "m.onnx").type == OnnxExportType::f32);
  }
  SECTION("inputs of 16 bits are not rounded to 8") {
    const OnnxExport result = export_golden("encoder-int8-16-bit-inputs", OnnxExportType::int8_dynamic, dir / "m.onnx");
    const OnnxFile file(dir / "m.onnx");
    CHECK(file.count("MatMulInteger") == 0);
    CHECK(file.count("DequantizeLinear") == 12);
    CHECK_THAT(result.notes.back(), Catch::Matchers::Contains("12 linear layers") && Catch::Matchers::Contains("16"));
  }
  SECTION("weights without integers stay f32, which a note says") {
    const OnnxExport result = export_golden("encoder-mixed", OnnxExportType::int8, dir / "m.onnx");
    const OnnxFile file(dir / "m.onnx");
    CHECK(file.tensors.at("encoder.layer.0.intermediate.dense.weight").type == 1);
    CHECK(file.tensors.at("encoder.layer.0.output.dense.weight").type == 3);
    CHECK_THAT(result.notes.back(), Catch::Matchers::Contains("2 linear weights") && Catch::Matchers::Contains("f32"));
  }
  SECTION("factors of low rank are two products") {
    export_golden("encoder-low-rank", OnnxExportType::int8, dir / "m.onnx");
    CHECK(OnnxFile(dir / "m.onnx").count("DequantizeLinear") == 24);
  }
}

TEST_CASE("padding is masked in attention, mean and maximum", "[compress][onnx]") {
  const TempDir dir;
  export_golden("encoder-int8", OnnxExportType::f32, dir / "m.onnx");
  const OnnxFile file(dir / "m.onnx");
  for (const test::OnnxFileNode& node : file.nodes) {
    if (node.op == "Softmax") CHECK(file.writer_of(node.inputs[0]).inputs[1] == "mask/bias");
  }
  const test::OnnxFileNode& bias = file.writer_of("mask/bias");
  CHECK(file.tensors.at(bias.inputs[1]).values<float>() == std::vector<float>{std::numeric_limits<float>::lowest()});
  const test::OnnxFileNode& mean = file.writer_of("pooled");
  CHECK(mean.inputs == std::vector<std::string>{"pooled/sum", "mask/lengths"});
}

TEST_CASE("every function and every pooling has operators", "[compress][onnx]") {
  const TempDir dir;
  const std::map<ActivationFunction, std::string> functions = {{ActivationFunction::gelu, "Erf"},
                                                               {ActivationFunction::gelu_tanh, "Tanh"},
                                                               {ActivationFunction::relu, "Relu"},
                                                               {ActivationFunction::silu, "Sigmoid"},
                                                               {ActivationFunction::tanh, "Tanh"}};
  CHECK(functions.size() == kActivations.rows().size());
  for (const auto& [function, op] : functions) {
    Program program = test::encoder_program();
    program.add_value("active", RowKind::sequences, 4);
    program.ops.push_back({ops::Activation{function}, {4}, {}, 5});
    program.outputs = {5};
    export_onnx(Artifact::open(write_program(program, dir / "m.lathe")), {}, dir / "m.onnx");
    check_graph(OnnxFile(dir / "m.onnx"));
    CHECK(OnnxFile(dir / "m.onnx").count(op) == 1);
  }
  for (const auto& [pooling, op] : {std::pair{Pooling::mean, "ReduceSum"}, {Pooling::max, "ReduceMax"}}) {
    Program program = test::encoder_program();
    program.ops.back().attributes = ops::Pool{pooling};
    export_onnx(Artifact::open(write_program(program, dir / "m.lathe")), {}, dir / "m.onnx");
    check_graph(OnnxFile(dir / "m.onnx"));
    CHECK(OnnxFile(dir / "m.onnx").count(op) >= 1);
  }
}

TEST_CASE("what is no encoder is refused by the name of the op", "[compress][onnx]") {
  const TempDir dir;
  const auto refused = [&](const std::filesystem::path& artifact, const std::vector<std::string>& parts) {
    expect_error(Errc::unsupported, parts, [&] { export_onnx(Artifact::open(artifact), {}, dir / "m.onnx"); });
    CHECK_FALSE(std::filesystem::exists(dir / "m.onnx"));
  };
  refused(test::data_path("golden/llama-f32.lathe"), {"llama-f32.lathe", "model.layers.0.input_layernorm", "rms_norm"});
  refused(test::data_path("golden/gpt2-int8.lathe"), {"gpt2-int8.lathe", "causal attention"});
  Program tokens = test::encoder_program();
  tokens.outputs = {3};
  refused(write_program(tokens, dir / "tokens.lathe"), {"attended", "a row for each token"});
  Program two = test::encoder_program();
  two.outputs = {4, 2};
  refused(write_program(two, dir / "two.lathe"), {"norm", "second output"});
  Program samples;
  samples.weights = {"w"};
  samples.add_value("pixels", RowKind::samples, 8);
  samples.add_value("out", RowKind::samples, 4);
  samples.ops.push_back({ops::Linear{}, {0}, {0, kNone}, 1});
  samples.inputs = {0};
  samples.outputs = {1};
  refused(write_program(samples, dir / "samples.lathe"), {"pixels", "not of token ids"});
}

TEST_CASE("a type of integers is refused where the artifact has none", "[compress][onnx]") {
  const TempDir dir;
  expect_error(Errc::unsupported, {"relu-f16.lathe", "int8-dynamic", "f32"},
               [&] { export_golden("relu-f16", OnnxExportType::int8_dynamic, dir / "m.onnx"); });
}

TEST_CASE("a damaged artifact is not exported to ONNX", "[compress][onnx]") {
  const TempDir dir;
  std::string bytes = test::golden_bytes(test::write_tiny(dir / "m.lathe"));
  bytes[100] ^= 1;
  dir.write("m.lathe", bytes);
  expect_error(Errc::malformed, {"m.lathe"}, [&] { export_onnx(Artifact::open(dir / "m.lathe"), {}, dir / "m.onnx"); });
  CHECK_FALSE(std::filesystem::exists(dir / "m.onnx"));
}

// The hashes are of graphs that onnx_runtime.py has found to give Lathe's outputs: run it before recording others.
TEST_CASE("exported graphs have the bytes that ONNX Runtime was tested with", "[compress][onnx]") {
  struct Recorded {
    std::string artifact;
    OnnxExportType type;
    std::string hash;
  };
  const std::vector<Recorded> files = {
      {"encoder-int8", OnnxExportType::f32, "9db5f98d922870cfe53864a7a2111da2"},
      {"encoder-int8", OnnxExportType::int8, "920f3a3673c3a7d1cfe0e0c24239fda0"},
      {"encoder-int8", OnnxExportType::int8_dynamic, "c78a33c7d3318a56e54d0236e5aec1c7"},
      {"classifier-int4-bitmask", OnnxExportType::int8_dynamic, "271c49dfaccb123ed1f98f38ee1cb175"},
      {"relu-bf16", OnnxExportType::f32, "c3df6602e59c2725a21158e3e408e676"}};
  const TempDir dir;
  for (const Recorded& recorded : files) {
    INFO(recorded.artifact << " " << kOnnxExportTypes.name(recorded.type));
    export_golden(recorded.artifact, recorded.type, dir / "m.onnx");
    const std::string graph = test::proto_text(OnnxFile(dir / "m.onnx").model, 7);
    CHECK(content_hash(std::as_bytes(std::span(graph))) == recorded.hash);
  }
}

}  // namespace
}  // namespace lathe
