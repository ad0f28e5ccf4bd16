#include "compress/export/gguf/export_gguf.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "compress/methods/encode.h"
#include "compress/program/rewrite.h"
#include "compress/source/source_model.h"
#include "formats/artifact/half.h"
#include "formats/gguf/gguf_model.h"
#include "runtime/text/chat.h"
#include "runtime/text/tokenizer.h"
#include "tests/formats/expect_error.h"
#include "tests/support/compress_tiny.h"
#include "tests/support/recorded_decoder.h"
#include "tests/support/tiny_artifact.h"
#include "tests/support/tiny_decoder.h"

namespace lathe {
namespace {

using test::expect_error;
using test::TempDir;
using test::TinyDecoder;

/// The model as it is, as an artifact.
std::filesystem::path write_artifact(const SourceModel& source, const std::filesystem::path& path) {
  ArtifactWriter writer(path);
  for (const std::string& name : source.program.weights) writer.add_tensor(name, source.weight(name));
  writer.set_section(layout::Section::tokenizer, encode_tokenizer(source.tokenizer));
  writer.set_section(layout::Section::task, task_text(source.task, source.name));
  writer.finish(source.program);
  return path;
}

GgufExport export_file(const std::filesystem::path& artifact, const std::filesystem::path& output,
                       GgufExportType type = GgufExportType::f16) {
  return export_gguf(Artifact::open(artifact), type, output);
}

std::vector<float> rounded_to_half(std::vector<float> values) {
  for (float& value : values) value = f16_to_f32(f32_to_f16(value));
  return values;
}

bool is_near(const std::vector<float>& a, const std::vector<float>& b, float tolerance) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](float x, float y) { return std::abs(x - y) <= tolerance * std::abs(y); });
}

TEST_CASE("an exported decoder of each architecture opens as the model that it was", "[compress][gguf]") {
  for (const std::string& name : test::recorded_decoders()) {
    DYNAMIC_SECTION(name) {
      const TempDir dir;
      test::RecordedDecoder recorded(name);
      if (name == "qwen2") recorded.config.set("use_sliding_window", false);
      const SourceModel source = open_source(recorded.write(dir), false);
      const auto exported = dir / "out.gguf";
      const GgufExport result = export_file(write_artifact(source, dir / "m.lathe"), exported);
      CHECK(result.bytes == std::filesystem::file_size(exported));
      CHECK(result.architecture == (name == "gpt2" ? "gpt2" : name.starts_with("qwen") ? name : "llama"));
      const SourceModel back = open_source(exported, false);
      CHECK(back.program.ops == source.program.ops);
      CHECK(back.task.architecture == source.task.architecture);
      CHECK(back.task.context == source.task.context);
      CHECK(back.task.rope_theta == source.task.rope_theta);
      REQUIRE(back.program.weights.size() == source.program.weights.size());
      for (size_t i = 0; i < source.program.weights.size(); ++i) {
        const std::string& weight = source.program.weights[i];
        INFO(weight);
        const std::vector<float> original = decode(source.weight(weight));
        const std::vector<float> read = decode(back.weight(back.program.weights[i]));
        if (weight == "rope.frequencies") {
          CHECK(is_near(read, original, 1e-5f));
        } else if (source.weight(weight).shape.size() == 1 || weight.ends_with("wpe.weight")) {
          CHECK(read == original);
        } else {
          CHECK(read == rounded_to_half(original));
        }
      }
    }
  }
}

TEST_CASE("the tokenizer of an exported decoder is the one of the artifact", "[compress][gguf]") {
  const TempDir dir;
  TinyDecoder decoder;
  decoder.tokenizer.default_system = "It's a \\ test";
  export_file(decoder.write(dir / "m.lathe"), dir / "out.gguf");
  const SourceModel back = open_source(dir / "out.gguf", false);
  CHECK(back.tokenizer.vocabulary == decoder.tokenizer.vocabulary);
  CHECK(back.tokenizer.merges == decoder.tokenizer.merges);
  CHECK(back.tokenizer.split == decoder.tokenizer.split);
  CHECK(back.tokenizer.added_tokens == decoder.tokenizer.added_tokens);
  CHECK(back.tokenizer.stop_ids == decoder.tokenizer.stop_ids);
  CHECK(back.tokenizer.end_id == decoder.tokenizer.end_id);
  CHECK(back.tokenizer.add_begin == decoder.tokenizer.add_begin);
  const GgufFile file(dir / "out.gguf");
  CHECK_THAT(file.text("tokenizer.chat_template"), Catch::Matchers::Contains("<|im_start|>"));
  CHECK_THAT(file.text("tokenizer.chat_template"), Catch::Matchers::Contains("It\\'s a \\\\ test"));
  // What is written for the forms of older files is a template that gives the same.
  const Tokenizer written(back.tokenizer), fixed(decoder.tokenizer);
  for (const bool prompt : {true, false}) {
    CHECK(chat_tokens(written, {{"user", "an ant"}}, {prompt, {}}) ==
          chat_tokens(fixed, {{"user", "an ant"}}, {prompt, {}}));
  }
}

TEST_CASE("an exported decoder has the chat template that it came with", "[compress][gguf]") {
  const TempDir dir;
  TinyDecoder decoder;
  decoder.tokenizer.chat = ChatForm::jinja;
  decoder.tokenizer.default_system.clear();
  decoder.tokenizer.chat_template = "{{ eos_token }}\n{%- for m in messages %}{{ m.content }}{% endfor %}";
  export_file(decoder.write(dir / "m.lathe"), dir / "out.gguf");
  const SourceModel back = open_source(dir / "out.gguf", false);
  CHECK(back.tokenizer.chat == ChatForm::jinja);
  CHECK(back.tokenizer.chat_template == decoder.tokenizer.chat_template);
}

TEST_CASE("every kind of tokenizer that is exported is read back as it was", "[compress][gguf]") {
  struct Kind {
    BpeSplit split;
    bool nfc;
    bool ignore_merges;
    const char* name;  // in the file
  };
  const auto kind = GENERATE(values<Kind>({{BpeSplit::gpt2, false, false, "gpt-2"},
                                           {BpeSplit::llama3, false, true, "llama-bpe"},
                                           {BpeSplit::qwen2, true, false, "qwen2"},
                                           {BpeSplit::smollm, false, false, "smollm"}}));
  CAPTURE(kind.name);
  const TempDir dir;
  TinyDecoder decoder;
  decoder.tokenizer.split = kind.split;
  decoder.tokenizer.nfc = kind.nfc;
  decoder.tokenizer.ignore_merges = kind.ignore_merges;
  decoder.tokenizer.add_prefix_space = GENERATE(false, true);
  export_file(decoder.write(dir / "m.lathe"), dir / "out.gguf");
  CHECK(GgufFile(dir / "out.gguf").text("tokenizer.ggml.pre") == kind.name);
  const TokenizerSpec back = open_source(dir / "out.gguf", false).tokenizer;
  CHECK(back.split == kind.split);
  CHECK(back.nfc == kind.nfc);
  CHECK(back.ignore_merges == kind.ignore_merges);
  CHECK(back.add_prefix_space == decoder.tokenizer.add_prefix_space);
  CHECK(back.vocabulary == decoder.tokenizer.vocabulary);
  CHECK(back.merges == decoder.tokenizer.merges);
}

TEST_CASE("a tokenizer that GGUF has no name for is not exported", "[compress][gguf]") {
  const TempDir dir;
  TinyDecoder decoder;
  SECTION("because it does not split text") { decoder.tokenizer.split = BpeSplit::none; }
  SECTION("because it normalizes text as no model of its name does") {
    decoder.tokenizer.split = BpeSplit::gpt2;
    decoder.tokenizer.nfc = true;
  }
  const auto artifact = decoder.write(dir / "m.lathe");
  expect_error(Errc::unsupported, {"m.lathe", "tokenizer.ggml.pre"}, [&] { export_file(artifact, dir / "out.gguf"); });
  CHECK_FALSE(std::filesystem::exists(dir / "out.gguf"));
}

TEST_CASE("tokens are filled up to the rows of the table of an exported decoder", "[compress][gguf]") {
  const TempDir dir;
  TinyDecoder decoder;
  decoder.tokenizer.added_tokens.pop_back();
  decoder.tokenizer.vocabulary.pop_back();
  decoder.tokenizer.stop_ids.pop_back();
  export_file(decoder.write(dir / "m.lathe"), dir / "out.gguf");
  const GgufFile file(dir / "out.gguf");
  CHECK(file.strings("tokenizer.ggml.tokens").size() == 265);
  CHECK(file.strings("tokenizer.ggml.tokens").back() == "[PAD264]");
  CHECK(file.integers_or_none("tokenizer.ggml.token_type").back() == 5);
  CHECK(file.integers_or_none("tokenizer.ggml.token_type")[262] == 3);
}

TEST_CASE("rows that blocks do not divide are exported as F16, which a note says", "[compress][gguf]") {
  const TempDir dir;
  const auto artifact = TinyDecoder({.tied = true}).write(dir / "m.lathe");
  const GgufExport result = export_file(artifact, dir / "out.gguf", GgufExportType::q4_0);
  REQUIRE(result.notes.size() == 1);
  CHECK(result.notes[0] == "2 tensors are written as F16, because rows of 48 numbers are no multiple of 32");
  const GgufFile file(dir / "out.gguf");
  CHECK(file.find("blk.1.ffn_down.weight")->type == GgufType::f16);
  CHECK(file.find("blk.1.ffn_up.weight")->type == GgufType::q4_0);
  CHECK(file.find("token_embd.weight")->type == GgufType::q8_0);
  CHECK(file.find("blk.0.attn_norm.weight")->type == GgufType::f32);
  CHECK(file.find("output.weight") == nullptr);
  CHECK(result.types ==
        std::vector<std::pair<std::string, uint64_t>>{{"F16", 2}, {"F32", 5}, {"Q4_0", 12}, {"Q8_0", 1}});
}

TEST_CASE("rows that blocks of 256 do not divide take the next larger type", "[compress][gguf]") {
  const TempDir dir;
  const auto artifact = TinyDecoder({.tied = true}).write(dir / "m.lathe");
  const GgufExport q4 = export_file(artifact, dir / "q4.gguf", GgufExportType::q4_k);
  CHECK(q4.notes.size() == 3);
  CHECK(q4.notes[0] == "12 tensors are written as Q4_0, because rows of 32 numbers are no multiple of 256");
  CHECK(q4.notes[1] == "1 tensor is written as Q8_0, because rows of 32 numbers are no multiple of 256");
  CHECK(q4.notes[2] == "2 tensors are written as F16, because rows of 48 numbers are no multiple of 256");
  const GgufFile file(dir / "q4.gguf");
  CHECK(file.find("blk.1.ffn_down.weight")->type == GgufType::f16);
  CHECK(file.find("blk.1.ffn_up.weight")->type == GgufType::q4_0);
  CHECK(file.find("token_embd.weight")->type == GgufType::q8_0);
  export_file(artifact, dir / "q6.gguf", GgufExportType::q6_k);
  CHECK(GgufFile(dir / "q6.gguf").find("blk.1.ffn_up.weight")->type == GgufType::q8_0);
}

TEST_CASE("an export of the same artifact has the same bytes", "[compress][gguf]") {
  const TempDir dir;
  const auto artifact = TinyDecoder().write(dir / "m.lathe");
  export_file(artifact, dir / "a.gguf", GgufExportType::q8_0);
  export_file(artifact, dir / "b.gguf", GgufExportType::q8_0);
  CHECK(test::file_bytes(dir / "a.gguf") == test::file_bytes(dir / "b.gguf"));
}

/// The decoder with its linear weights in an encoding.
std::filesystem::path write_encoded(const TinyDecoder& decoder, const Encoding& encoding,
                                    const std::filesystem::path& path) {
  ArtifactWriter writer(path);
  for (const auto& [name, tensor] : decoder.tensors) {
    if (tensor.shape.size() == 1) {
      writer.add_tensor(name, decoder.weight(name));
      continue;
    }
    Matrix values(tensor.shape[0], tensor.shape[1]);
    values.values = tensor.values;
    const Grid grid = choose_grid(values, encoding, {}, nullptr);
    for (size_t row = 0; row < values.rows; ++row) {
      for (size_t col = 0; col < values.cols; ++col) values.row(row)[col] = grid.snap(row, col, values.row(row)[col]);
    }
    writer.add_tensor(name, encode(values, grid, encoding).view());
  }
  writer.set_section(layout::Section::tokenizer, encode_tokenizer(decoder.tokenizer));
  writer.set_section(layout::Section::task, task_text(decoder.task, "tiny"));
  writer.finish(decoder.program);
  return path;
}

TEST_CASE("integer weights keep their grid in blocks that can hold it", "[compress][gguf]") {
  struct Case {
    Encoding encoding;
    GgufExportType type;
    float tolerance;  // relative: what half precision does to a scale
  };
  const std::vector<Case> cases = {
      {{ValueType::int8, Sparsity::dense, 0}, GgufExportType::q8_0, 0},
      {{ValueType::int8, Sparsity::bitmask, 0}, GgufExportType::q8_0, 0},
      {{ValueType::int4, Sparsity::dense, 32}, GgufExportType::q8_0, 0},
      {{ValueType::int4, Sparsity::dense, 32}, GgufExportType::q4_0, 0x1p-11f},
      {{ValueType::int4, Sparsity::bitmask, 32}, GgufExportType::q4_0, 0x1p-11f},
  };
  for (const Case& tried : cases) {
    const TempDir dir;
    INFO(encoding_name(tried.encoding));
    const Artifact artifact = Artifact::open(write_encoded(TinyDecoder(), tried.encoding, dir / "m.lathe"));
    export_gguf(artifact, tried.type, dir / "out.gguf");
    const SourceModel back = open_source(dir / "out.gguf", true);
    for (const std::string name : {"model.layers.0.self_attn.q_proj.weight", "model.layers.1.mlp.up_proj.weight"}) {
      CHECK(is_near(decode(back.weight(name)), decode(artifact.tensor(name).tensor), tried.tolerance));
    }
  }
}

TEST_CASE("the two factors of a low-rank layer are exported as their product", "[compress][gguf]") {
  const TempDir dir;
  TinyDecoder decoder;
  const std::string name = "model.layers.0.self_attn.q_proj.weight";
  const auto at = std::find_if(decoder.program.ops.begin(), decoder.program.ops.end(), [&](const Op& op) {
    return op.is<ops::Linear>() && decoder.program.weights[op.weights[0]] == name;
  });
  const uint32_t output = at->output;
  decoder.tensors.erase(name);
  TinyDecoder::Tensor& up = decoder.tensors[name + ".up"] = {{32, 2}, std::vector<float>(64)};
  TinyDecoder::Tensor& down = decoder.tensors[name + ".down"] = {{2, 32}, std::vector<float>(64)};
  for (size_t i = 0; i < 64; ++i) {
    up.values[i] = static_cast<float>(i) - 30;
    down.values[i] = static_cast<float>(i % 7) - 3;
  }
  factor_linear(decoder.program, output, name + ".up", name + ".down", 2);
  export_file(decoder.write(dir / "m.lathe"), dir / "out.gguf");
  const std::vector<float> product = decode(open_source(dir / "out.gguf", false).weight(name));
  std::vector<float> expected;
  for (size_t row = 0; row < 32; ++row) {
    for (size_t col = 0; col < 32; ++col) {
      expected.push_back(up.values[2 * row] * down.values[col] + up.values[2 * row + 1] * down.values[32 + col]);
    }
  }
  CHECK(product == expected);
}

TEST_CASE("what GGUF cannot hold is refused by its name", "[compress][gguf]") {
  const TempDir dir;
  const auto refused = [&](Errc code, std::vector<std::string> parts, const std::filesystem::path& artifact) {
    parts.push_back(code == Errc::limit ? "out.gguf" : artifact.string());
    expect_error(code, parts, [&] { export_file(artifact, dir / "out.gguf"); });
    CHECK_FALSE(std::filesystem::exists(dir / "out.gguf"));
  };
  refused(Errc::unsupported, {"sentence-embedding", "generate text"}, test::write_tiny(dir / "encoder.lathe"));

  TinyDecoder foreign;
  foreign.task.architecture = "mamba";
  refused(Errc::unsupported, {"architecture \"mamba\""}, foreign.write(dir / "foreign.lathe"));

  TinyDecoder relu;
  for (Op& op : relu.program.ops) {
    if (op.is<ops::Activation>()) op.attributes = ops::Activation{ActivationFunction::relu};
  }
  refused(Errc::unsupported, {"relu", "silu"}, relu.write(dir / "relu.lathe"));

  TinyDecoder unlike;
  std::find_if(unlike.program.ops.rbegin(), unlike.program.ops.rend(),
               [](const Op& op) { return op.is<ops::RmsNorm>(); })
      ->as<ops::RmsNorm>()
      ->epsilon = 0.5f;
  refused(Errc::unsupported, {"0.5 as epsilon", "one for all"}, unlike.write(dir / "unlike.lathe"));

  TinyDecoder large;
  large.tensors["model.layers.1.mlp.up_proj.weight"].values[40] = 1e6f;
  refused(Errc::limit, {"blk.1.ffn_up.weight, row 1", "1e+06", "half precision"}, large.write(dir / "large.lathe"));

  TinyDecoder renamed;
  for (std::string& name : renamed.program.weights) {
    if (name != "model.layers.0.mlp.up_proj.weight") continue;
    auto node = renamed.tensors.extract(name);
    node.key() = name = "model.layers.0.mlp.other.weight";
    renamed.tensors.insert(std::move(node));
  }
  refused(Errc::unsupported, {"model.layers.0.mlp.other.weight", "no place"}, renamed.write(dir / "renamed.lathe"));
}

TEST_CASE("a damaged artifact is not exported", "[compress][gguf]") {
  const TempDir dir;
  TinyDecoder().write(dir / "m.lathe");
  std::string bytes = test::file_bytes(dir / "m.lathe");
  const Artifact intact = Artifact::open(dir / "m.lathe");
  const std::string name = "model.layers.0.mlp.up_proj.weight";
  const auto at = intact.tensor(name).tensor.planes[0].data() - intact.file().bytes().data();
  bytes[static_cast<size_t>(at)] = static_cast<char>(bytes[static_cast<size_t>(at)] ^ 1);
  const auto damaged = dir.write("damaged.lathe", bytes);
  expect_error(Errc::malformed, {"damaged.lathe", name}, [&] { export_file(damaged, dir / "out.gguf"); });
  CHECK_FALSE(std::filesystem::exists(dir / "out.gguf"));
}

TEST_CASE("a window that not all layers have is refused in an export", "[compress][gguf]") {
  const TempDir dir;
  const SourceModel source = open_source(test::RecordedDecoder("qwen2").copy(dir), false);
  const auto artifact = write_artifact(source, dir / "m.lathe");
  expect_error(Errc::unsupported, {artifact.string(), "model.layers.1.self_attn", "window"},
               [&] { export_file(artifact, dir / "out.gguf"); });
}

TEST_CASE("scaled positions are exported as a factor, or as factors of each pair", "[compress][gguf]") {
  const TempDir dir;
  TinyDecoder linear;
  for (float& frequency : linear.tensors["rope.frequencies"].values) frequency /= 4;
  export_file(linear.write(dir / "linear.lathe"), dir / "linear.gguf");
  CHECK(GgufFile(dir / "linear.gguf").number("llama.rope.scaling.factor") == Approx(4));
  TinyDecoder single;
  single.tensors["rope.frequencies"].values.back() /= 8;
  export_file(single.write(dir / "single.lathe"), dir / "single.gguf");
  const std::vector<float> factors = decode(*GgufFile(dir / "single.gguf").find("rope_freqs.weight"));
  CHECK(is_near(factors, {1, 1, 1, 8}, 1e-5f));
}

}  // namespace
}  // namespace lathe
