// HDF5 files as users of the command meet them.

#include <catch2/catch.hpp>

#include "tests/cli/checks.h"
#include "tests/support/paths.h"
#include "tests/support/tiny_artifact.h"

namespace lathe {
namespace {

using Catch::Matchers::Contains;
using test::CommandResult;
using test::data_path;
using test::expect_failure;
using test::json_of;
using test::quoted;
using test::run_compress;
using test::TempDir;

TEST_CASE("export writes the weights of any model as HDF5", "[cli][hdf5]") {
  const TempDir dir;
  const std::string file = test::write_tiny(dir / "e.lathe").string();
  const std::string hdf5 = (dir / "e.h5").string();
  const std::string command = "export " + quoted(file) + " --to hdf5 -o " + quoted(hdf5);
  const CommandResult done = run_compress(command);
  INFO(done.err);
  CHECK(done.code == 0);
  CHECK_THAT(done.out, Contains("e.h5: tensors: 18 f32; "));
  expect_failure(command, 73, {"exists already; --force"});
  expect_failure(command + " --force --type q8_0", 64, {"--type is for --to gguf"});
  const CommandResult again = run_compress(command + " --force --json");
  const Json json = json_of(again);
  CHECK(json.at("format").as_string() == "hdf5");
  CHECK(json.at("type").as_string() == "f32");
  CHECK(json.find("architecture") == nullptr);
  CHECK(json.at("tensors").at("f32").as_u64() == 18);
  CHECK(json.at("bytes").as_u64() == std::filesystem::file_size(hdf5));
}

TEST_CASE("inspect lists an HDF5 file under the names that Lathe gives its tensors", "[cli][hdf5]") {
  const Json json = json_of(run_compress("inspect --json " + quoted(data_path("hdf5/keras2.h5"))));
  CHECK(json.at("tensors").items().size() == 12);
  const Json& dense = json.at("tensors").items()[3];
  CHECK(dense.at("name").as_string() == "dense.weight");
  CHECK(dense.at("shape") == Json::array({3, 2}));
  CHECK(json.at("warnings").items().size() == 1);
  expect_failure("inspect " + quoted(data_path("hdf5/bad_lambda.h5")), 69, {"Lambda"});
  expect_failure("inspect " + quoted(data_path("hdf5/bad_deep.h5")), 65, {"64 groups"});
}

TEST_CASE("a model whose weights TensorFlow saved is compressed like any other", "[cli][hdf5]") {
  const TempDir dir;
  std::string config = test::read_text(data_path("bert_tiny/config.json"));
  const std::string layers = "\"num_hidden_layers\": 2";
  REQUIRE(config.find(layers) != config.npos);
  config[config.find(layers) + layers.size() - 1] = '1';  // the file has the first layer
  dir.write("model/config.json", config);
  for (const auto& [from, to] :
       {std::pair{"bert_tiny/vocab.txt", "vocab.txt"}, std::pair{"hdf5/tf_bert.h5", "tf_model.h5"}}) {
    std::filesystem::copy_file(data_path(from), dir / "model" / to);
  }
  const std::string out = quoted(dir / "out.lathe");
  const CommandResult done = run_compress(quoted(dir / "model") + " --quant int8 --no-bench -q -o " + out);
  INFO(done.err);
  CHECK(done.code == 0);
  CHECK_THAT(run_compress("inspect --tensors " + out).out,
             Contains("bert.encoder.layer.0.attention.self.query.weight") && Contains("tf_model.h5"));
}

TEST_CASE("without its worker the command says what is missing", "[cli][inspect]") {
  const TempDir dir;
  const std::filesystem::path lonely = dir / "compress";
  std::filesystem::copy_file(test::command_path(), lonely);
  const CommandResult result = test::run_program(lonely, "inspect " + quoted(data_path("hdf5/keras2.h5")));
  CHECK(result.code == 69);
  CHECK_THAT(result.err, Contains("lathe-hdf5 is not beside this program") && Contains("LATHE_HDF5"));
}

}  // namespace
}  // namespace lathe
