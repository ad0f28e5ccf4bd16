// compress export as its users meet it.

#include <catch2/catch.hpp>

#include "formats/gguf/gguf.h"
#include "formats/json.h"
#include "tests/cli/checks.h"
#include "tests/cli/process.h"
#include "tests/support/tiny_artifact.h"
#include "tests/support/tiny_decoder.h"
#include "tests/support/tiny_model.h"

namespace lathe {
namespace {

using Catch::Matchers::Contains;
using test::CommandResult;
using test::expect_failure;
using test::quoted;
using test::run_compress;

TEST_CASE("export writes a GGUF file and says what is in it", "[cli][gguf]") {
  const test::TempDir dir;
  const std::string file = test::TinyDecoder().write(dir / "d.lathe").string();
  const std::string gguf = (dir / "d.gguf").string();
  const CommandResult done = run_compress("export " + quoted(file) + " --to gguf --type q4_0 -o " + quoted(gguf));
  CHECK(done.code == 0);
  CHECK_THAT(done.out, Contains("d.gguf: llama") && Contains("12 Q4_0") && Contains("2 Q8_0"));
  CHECK_THAT(done.err, Contains("note: 2 tensors are written as F16"));
  CHECK(GgufFile(gguf).text("general.architecture") == "llama");

  expect_failure("export " + quoted(file) + " -o " + quoted(gguf), 73, {"exists already; --force"});
  const CommandResult again = run_compress("export --json --force " + quoted(file) + " -o " + quoted(gguf));
  REQUIRE(again.code == 0);
  const Json json = parse_json(again.out, "standard output");
  CHECK(json.at("command").as_string() == "export");
  CHECK(json.at("type").as_string() == "q8_0");
  CHECK(json.at("architecture").as_string() == "llama");
  CHECK(json.at("bytes").as_u64() == std::filesystem::file_size(gguf));
  CHECK(json.at("tensors").at("Q8_0").as_u64() == 14);
  CHECK(json.at("notes").items().size() == 1);
  const CommandResult quiet = run_compress("export -q --force " + quoted(file) + " -o " + quoted(gguf));
  CHECK(quiet.code == 0);
  CHECK(quiet.out.empty());
  CHECK(quiet.err.empty());
}

TEST_CASE("export refuses what it cannot do, with the exit code of the reason", "[cli][gguf]") {
  const test::TempDir dir;
  const std::string file = test::TinyDecoder().write(dir / "d.lathe").string();
  const std::string encoder = test::write_tiny(dir / "e.lathe").string();
  const std::string out = " -o " + quoted((dir / "o.gguf").string());
  expect_failure("export " + quoted(file), 64, {"expected -o FILE"});
  expect_failure("export " + quoted(file) + " --type q5_0" + out, 64, {"q5_0"});
  expect_failure("export --force " + quoted(file) + " -o " + quoted(file), 64, {"is an input"});
  expect_failure("export " + quoted((dir / "none.lathe").string()) + out, 66, {"none.lathe"});
  expect_failure("export " + quoted(encoder) + out, 69, {"generate text"});
  expect_failure("export " + quoted(file) + " -o " + quoted((dir / "no" / "o.gguf").string()), 73, {"no"});
  CHECK_FALSE(std::filesystem::exists(dir / "o.gguf"));
}

TEST_CASE("export writes an ONNX model and says what its user has to know", "[cli][onnx]") {
  const test::TempDir dir;
  test::TinyOptions options;
  options.int8 = true;
  const std::string file = quoted(test::write_tiny(dir / "e.lathe", options));
  const std::string onnx = (dir / "e.onnx").string();
  const std::string command = "export " + file + " --to onnx -o " + quoted(onnx);
  const CommandResult done = run_compress(command);
  INFO(done.err);
  CHECK(done.code == 0);
  CHECK_THAT(done.out, Contains("e.onnx: tensors: 12 f32, 6 int8; "));
  CHECK_THAT(done.err, Contains("note: the tokenizer is not in the file") && Contains("at most 32 tokens"));
  expect_failure(command, 73, {"exists already; --force"});
  const CommandResult again = run_compress(command + " --force --json --type int8");
  REQUIRE(again.code == 0);
  const Json json = parse_json(again.out, "standard output");
  CHECK(json.at("format").as_string() == "onnx");
  CHECK(json.at("type").as_string() == "int8");
  CHECK(json.find("architecture") == nullptr);
  CHECK(json.at("bytes").as_u64() == std::filesystem::file_size(onnx));
  CHECK(json.at("notes").items().size() == 1);
}

TEST_CASE("a type of another format is refused, with those of this one", "[cli][onnx]") {
  const test::TempDir dir;
  const std::string file = quoted(test::write_tiny(dir / "e.lathe"));
  const std::string out = " -o " + quoted((dir / "o").string());
  expect_failure("export " + file + " --to onnx --type q8_0" + out, 64,
                 {"q8_0", "--to onnx", "f32, int8, int8-dynamic"});
  expect_failure("export " + file + " --to gguf --type int8" + out, 64, {"int8", "--to gguf", "q4_0"});
  expect_failure("export " + file + " --to onnx --type int8" + out, 69, {"no integer weights"});
  const std::string decoder = quoted(test::TinyDecoder().write(dir / "d.lathe"));
  expect_failure("export " + decoder + " --to onnx" + out, 69, {"rms_norm", "encoders and classifiers"});
  CHECK_FALSE(std::filesystem::exists(dir / "o"));
}

TEST_CASE("export makes a model folder that is a source again", "[cli][folder]") {
  const test::TempDir dir;
  const std::string model = quoted(test::TinyModel().write(dir, "model").string());
  const std::string file = quoted((dir / "m.lathe").string());
  REQUIRE(run_compress(model + " --no-bench -q -o " + file).code == 0);
  const std::string command = "export " + file + " --to safetensors --model " + model;
  const std::string out = " -o " + quoted((dir / "out").string());
  const CommandResult done = run_compress(command + out);
  CHECK(done.code == 0);
  CHECK_THAT(done.out, Contains("out: tensors:") && Contains("f32"));
  CHECK(run_compress(quoted((dir / "out").string()) + " --quant int8 --no-bench -q -o " +
                     quoted((dir / "again.lathe").string()))
            .code == 0);
  expect_failure(command + out, 73, {"out/model.safetensors", "exists already; --force"});
  CHECK(run_compress(command + out + " --force -q").code == 0);

  expect_failure("export " + file + " --to safetensors" + out, 64, {"needs --model"});
  expect_failure("export " + file + " --model " + model + out, 64, {"--model is for --to safetensors"});
  expect_failure(command + " --type f16" + out, 64, {"--type is for --to gguf"});
  expect_failure(command + " --force -o " + model, 64, {"is an input"});
  expect_failure(command + " --force -o " + file, 64, {"is an input"});
  dir.write("file", "text");
  expect_failure(command + " -o " + quoted((dir / "file").string()), 73, {"no folder"});
  expect_failure(command + " -o " + quoted((dir / "no" / "out").string()), 73, {"no"});
}

}  // namespace
}  // namespace lathe
