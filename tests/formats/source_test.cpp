#include "formats/source.h"

#include <catch2/catch.hpp>
#include <set>

#include "tests/formats/expect_error.h"
#include "tests/support/gguf_tiny.h"
#include "tests/support/temp_dir.h"

namespace lathe {
namespace {

using test::expect_error;
using test::TempDir;

}  // namespace

TEST_CASE("a path that no format recognises is answered with what each expects", "[formats][source]") {
  const TempDir dir;
  const auto text = dir.write("model.txt", "once upon a time");
  for (const auto& path : {text, dir / "nothing"}) {
    expect_error(Errc::no_input, {path.string(), "a GGUF file", "config.json and model.safetensors"},
                 [&] { open_source_files(path); });
  }
  std::set<std::string> expected;
  for (const SourceFormat& format : source_formats()) CHECK(expected.insert(format.expected).second);
}

TEST_CASE("a GGUF file and the folder that holds it are the same source", "[formats][source]") {
  const TempDir dir;
  const auto file = dir.write("tiny.gguf", test::tiny_llama().build());
  for (const auto& path : {file, dir.path()}) {
    const std::unique_ptr<Source> source = open_source_files(path);
    CHECK(source->name() == "tiny");
    CHECK(source->config().model_type() == "llama");
    CHECK_FALSE(source->checkpoint()->names().empty());
    CHECK_FALSE(source->tokenizer().vocabulary.empty());
    CHECK(source->notes().empty());
  }
}

TEST_CASE("a folder with two GGUF files says which there are, and not that config.json is missing",
          "[formats][source]") {
  const TempDir dir;
  dir.write("b.gguf", test::tiny_llama().build());
  dir.write("a.gguf", test::tiny_llama().build());
  dir.write("notes.txt", "x");
  expect_error(Errc::usage, {dir.path().string(), "2 GGUF files (a.gguf, b.gguf)", "give the path"},
               [&] { open_source_files(dir.path()); });
  CHECK(open_source_files(dir / "a.gguf")->name() == "a");
}

TEST_CASE("a folder is a model folder unless GGUF is all that it has", "[formats][source]") {
  const TempDir dir;
  expect_error(Errc::no_input, {"config.json"}, [&] { open_source_files(dir.path()); });
  dir.write("config.json", R"({"model_type": "bert"})");
  dir.write("tiny.gguf", test::tiny_llama().build());
  const std::unique_ptr<Source> source = open_source_files(dir.path());
  CHECK(source->name() == dir.path().filename().string());
  CHECK(source->config().model_type() == "bert");
  expect_error(Errc::no_input, {"model.safetensors"}, [&] { source->checkpoint(); });
}

}  // namespace lathe
