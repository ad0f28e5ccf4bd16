#include "compress/export/huggingface/export_folder.h"

#include <catch2/catch.hpp>

#include "compress/source/source_model.h"
#include "formats/json.h"
#include "tests/formats/expect_error.h"
#include "tests/support/compress_tiny.h"
#include "tests/support/paths.h"
#include "tests/support/tiny_model.h"

namespace lathe {
namespace {

using test::compress_to;
using test::data_path;
using test::expect_error;
using test::TempDir;

Artifact compressed(const std::filesystem::path& model, const Recipe& recipe, const std::filesystem::path& file) {
  const SourceModel source = open_source(model, false);
  compress_to(source, recipe, file);
  return Artifact::open(file);
}

}  // namespace

TEST_CASE("an artifact becomes a model folder with its weights and the model's other files", "[compress][folder]") {
  const TempDir dir;
  test::TinyModel tiny;
  tiny.pooling = "mean";
  const std::filesystem::path model = tiny.write(dir, "model");
  dir.write("model/tokenizer_config.json", R"({"tokenizer_class": "BertTokenizer"})");
  const Artifact artifact = compressed(model, test::quick_recipe("int8", 0.5), dir / "m.lathe");
  const FolderExport result = export_folder(artifact, model, dir / "out");
  CHECK(result.files.size() == folder_export_files(model, dir / "out").size());
  const SourceModel before = open_source(model, false);
  const SourceModel after = open_source(dir / "out", false);
  CHECK(after.tokenizer == before.tokenizer);
  CHECK(after.program.weights == before.program.weights);
  CHECK(after.program.ops.size() == before.program.ops.size());
  for (const std::string& name : after.program.weights) {
    INFO(name);
    CHECK(decode(after.weight(name)) == decode(artifact.tensor(name).tensor));
  }
  CHECK(test::file_bytes(dir / "out/tokenizer_config.json") == test::file_bytes(model / "tokenizer_config.json"));
  export_folder(artifact, model, dir / "again");
  CHECK(test::file_bytes(dir / "again/model.safetensors") == test::file_bytes(dir / "out/model.safetensors"));
}

TEST_CASE("the config of an exported folder says that its weights are f32", "[compress][folder]") {
  const TempDir dir;
  const std::filesystem::path model = test::TinyModel().write(dir, "model");
  Json config = read_json_file(model / "config.json");
  config.set("torch_dtype", "bfloat16");
  dir.write("model/config.json", to_text(config));
  const Artifact artifact = compressed(model, test::quick_recipe("int8"), dir / "m.lathe");
  export_folder(artifact, model, dir / "out");
  const Json written = read_json_file(dir / "out/config.json");
  CHECK(written.at("torch_dtype", "config").as_string("config") == "float32");
  config.set("torch_dtype", "float32");
  CHECK(to_text(written) == to_text(config));
}

TEST_CASE("low-rank layers are exported as the weights that they stand for", "[compress][folder]") {
  const TempDir dir;
  Recipe recipe = test::quick_recipe("f32");
  recipe.low_rank = 4;
  const Artifact artifact = compressed(data_path("bert_tiny"), recipe, dir / "m.lathe");
  export_folder(artifact, data_path("bert_tiny"), dir / "out");
  const SourceModel after = open_source(dir / "out", false);
  const std::string name = "encoder.layer.0.attention.self.query.weight";
  CHECK(artifact.tensor(name + ".up").tensor.shape == Shape{32, 4});
  CHECK(after.weight(name).shape == Shape{32, 32});
}

TEST_CASE("a decoder is exported with all files of its folder", "[compress][folder]") {
  const TempDir dir;
  const std::filesystem::path model = dir.path() / "model";
  std::filesystem::copy(data_path("decoders/llama"), model);
  for (const char* file : {"tokenizer.json", "tokenizer_config.json"}) {
    std::filesystem::copy_file(data_path("decoders") / file, model / file);
  }
  const Artifact artifact = compressed(model, test::quick_recipe("int8"), dir / "m.lathe");
  export_folder(artifact, model, dir / "out");
  const SourceModel after = open_source(dir / "out", false);
  CHECK(after.tokenizer == open_source(model, false).tokenizer);
}

TEST_CASE("a folder of another model is refused before anything is written", "[compress][folder]") {
  const TempDir dir;
  const Artifact artifact = compressed(data_path("bert_tiny"), test::quick_recipe("int8"), dir / "m.lathe");
  const std::filesystem::path other = test::TinyModel().write(dir, "other");
  expect_error(Errc::unsupported, {other.string(), "weight", "another model"},
               [&] { export_folder(artifact, other, dir / "out"); });
  CHECK_FALSE(std::filesystem::exists(dir / "out"));
  expect_error(Errc::no_input, {"none"}, [&] { export_folder(artifact, dir / "none", dir / "out"); });
}

}  // namespace lathe
