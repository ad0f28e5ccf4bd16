// compress inspect of files that are no artifacts.

#include <catch2/catch.hpp>

#include "formats/artifact/tensor.h"
#include "tests/cli/checks.h"
#include "tests/support/paths.h"
#include "tests/support/safetensors_builder.h"
#include "tests/support/temp_dir.h"

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

TEST_CASE("inspect lists the tensors of every format that is read", "[cli][inspect]") {
  struct Case {
    const char* path;
    const char* name;
    const char* type;
    std::vector<uint64_t> shape;
    uint64_t bytes;
  };
  const std::vector<Case> cases = {
      {"bert_tiny", "embeddings.LayerNorm.bias", "f32", {32}, 128},
      {"bert_tiny/model.safetensors", "embeddings.LayerNorm.bias", "f32", {32}, 128},
      {"gguf/tiny-llama.gguf", "blk.0.attn_k.weight", "F16", {16, 32}, 1024},
  };
  for (const Case& known : cases) {
    DYNAMIC_SECTION(known.path) {
      const std::string path = data_path(known.path).string();
      const Json json = json_of(run_compress("inspect --json " + quoted(path)));
      CHECK(json.at("source").as_string() == path);
      CHECK(json.at("files").items().size() == 1);
      CHECK(json.at("files").items()[0].at("bytes").as_u64() > 1000);
      bool is_found = false;
      uint64_t parameters = 0;
      for (const Json& tensor : json.at("tensors").items()) {
        uint64_t count = 1;
        std::vector<uint64_t> shape;
        for (const Json& extent : tensor.at("shape").items()) {
          shape.push_back(extent.as_u64());
          count *= shape.back();
        }
        parameters += count;
        if (tensor.at("name").as_string() != known.name) continue;
        is_found = true;
        CHECK(tensor.at("type").as_string() == known.type);
        CHECK(shape == known.shape);
        CHECK(tensor.at("bytes").as_u64() == known.bytes);
      }
      CHECK(is_found);
      CHECK(json.at("parameters").as_u64() == parameters);
      const CommandResult text = run_compress("inspect " + quoted(path));
      CHECK(text.code == 0);
      CHECK_THAT(text.out, Contains(known.name) && Contains(shape_text(known.shape)) && Contains("Types"));
    }
  }
}

TEST_CASE("inspect says what is odd about a source", "[cli][inspect]") {
  const TempDir dir;
  const std::string odd =
      dir.write("odd.safetensors",
                test::SafetensorsBuilder().add("a", "F8_E4M3", {2}, "xx").add_f32("b", {1}, {1}).build())
          .string();
  const Json json = json_of(run_compress("inspect --json " + quoted(odd)));
  CHECK(json.at("tensors").items().size() == 1);
  REQUIRE(json.at("warnings").items().size() == 1);
  CHECK_THAT(json.at("warnings").items()[0].as_string(), Contains("tensor a") && Contains("F8_E4M3"));
  CHECK_THAT(run_compress("inspect " + quoted(odd)).out, Contains("Warnings") && Contains("F8_E4M3"));
}

TEST_CASE("inspect refuses a source as every command does", "[cli][inspect]") {
  const TempDir dir;
  expect_failure("inspect " + quoted(dir.path()), 66, {"no weights"});
  expect_failure("inspect " + quoted(dir.write("text", "no model at all")), 65, {"not safetensors"});
  expect_failure("inspect " + quoted(dir / "absent.h5"), 66, {"absent.h5"});
}

}  // namespace
}  // namespace lathe
