// No command writes over what it reads, nor replaces what is no regular file.

#include "cli/outputs.h"

#include <sys/stat.h>

#include "tests/cli/checks.h"
#include "tests/formats/expect_error.h"
#include "tests/support/compress_tiny.h"

namespace lathe::cli {
namespace {

using test::expect_error;
using test::expect_failure;
using test::file_bytes;
using test::quoted;
using test::TempDir;
using test::TinyModel;

std::string word(const std::filesystem::path& path) { return quoted(path.string()); }

}  // namespace

TEST_CASE("an output is a new file or a regular one that is not read", "[cli][outputs]") {
  const TempDir dir;
  const std::filesystem::path input = dir.write("input.txt", "text");
  const std::filesystem::path old = dir.write("old.txt", "old");
  CHECK_NOTHROW(check_output(dir / "new.txt", {input, "", "-"}));
  CHECK_NOTHROW(check_output(old, {input}));
  expect_error(Errc::usage, {"input.txt", "is an input"}, [&] { check_output(input, {old, input}); });
  std::filesystem::create_hard_link(input, dir / "hard.txt");
  expect_error(Errc::usage, {"hard.txt", "is an input"}, [&] { check_output(dir / "hard.txt", {input}); });
  expect_error(Errc::usage, {"new.txt"}, [&] { check_output(dir / "." / "new.txt", {dir / "new.txt"}); });
}

TEST_CASE("an output does not replace a pipe, a symbolic link or a folder", "[cli][outputs]") {
  const TempDir dir;
  const std::filesystem::path target = dir.write("target", "old");
  std::filesystem::create_symlink(target, dir / "link");
  std::filesystem::create_symlink(dir / "nowhere", dir / "dangling");
  REQUIRE(::mkfifo((dir / "pipe").c_str(), 0600) == 0);
  std::filesystem::create_directory(dir / "folder");
  for (const char* name : {"link", "dangling"}) {
    expect_error(Errc::cannot_create, {name, "symbolic link"}, [&] { check_output(dir / name, {}); });
  }
  expect_error(Errc::cannot_create, {"pipe", "no regular file"}, [&] { check_output(dir / "pipe", {}); });
  expect_error(Errc::cannot_create, {"folder"}, [&] { check_output(dir / "folder", {}); });
  expect_error(Errc::cannot_create, {"pipe"}, [&] { write_file(dir / "pipe", "text"); });
}

TEST_CASE("every file of a model folder and its subfolders is an input", "[cli][outputs]") {
  const TempDir dir;
  const std::filesystem::path model = TinyModel().write(dir);
  const std::filesystem::path nested = dir.write("model/1_Pooling/notes.json", "{}");
  REQUIRE(model == dir / "model");
  expect_failure(word(model) + " --quant int8 --no-bench -o " + word(nested), 64, {"notes.json", "is an input"});
  CHECK(file_bytes(nested) == "{}");
}

TEST_CASE("no command writes into a pipe or over its input", "[cli][outputs]") {
  const TempDir dir;
  const std::filesystem::path model = TinyModel().write(dir);
  const std::filesystem::path artifact = dir / "a.lathe";
  test::compress_to(open_source(model, false), test::quick_recipe("int8"), artifact);
  const std::string before = file_bytes(artifact);
  REQUIRE(::mkfifo((dir / "pipe").c_str(), 0600) == 0);
  const std::string pipe = word(dir / "pipe");
  const std::string texts = word(dir.write("texts.txt", "the cat\n"));

  expect_failure(word(model) + " --quant int8 --no-bench -o " + pipe, 73, {"pipe", "no regular file"});
  expect_failure("run " + word(artifact) + " -t cat -o " + word(artifact), 64, {"a.lathe", "is an input"});
  expect_failure("run " + word(artifact) + " -i " + texts + " -o " + texts, 64, {"texts.txt", "is an input"});
  expect_failure("run " + word(artifact) + " -t cat -o " + pipe, 73, {"pipe", "no regular file"});
  expect_failure(word(model) + " --quant int8 --no-bench --texts " + texts + " -o " + texts, 64, {"is an input"});
  const std::filesystem::path report = dir.write("report/report.md", "the cat\n");
  expect_failure(word(model) + " --quant int8 --no-bench --texts " + word(report) + " -o " + word(dir / "b.lathe") +
                     " --report " + word(dir / "report"),
                 64, {"report.md", "is an input"});
  dir.write("r/other", "");
  expect_failure(
      word(model) + " --quant int8 --no-bench -o " + word(dir / "r/report.md") + " --report " + word(dir / "r"), 64,
      {"report.md", "is an input"});
  expect_failure("compare --no-speed " + word(artifact) + " " + word(artifact) + " --texts " + word(report) +
                     " --report " + word(dir / "report"),
                 64, {"report.md", "is an input"});
  CHECK(file_bytes(artifact) == before);
  CHECK(std::filesystem::is_fifo(dir / "pipe"));
}

TEST_CASE("texts may come from a pipe, and one that serves twice is read once", "[cli][outputs]") {
  const TempDir dir;
  const std::filesystem::path model = TinyModel().write(dir);
  const std::filesystem::path texts = dir.write("texts.txt", test::tiny_text(100));
  REQUIRE(::mkfifo((dir / "pipe").c_str(), 0600) == 0);
  const std::string common = word(model) + " --quant int8 --no-bench --json --quiet";
  const auto report_on = [&](const std::filesystem::path& text, const std::string& before) {
    return test::json_of(test::run_compress(
        common + " --calibrate " + word(text) + " --texts " + word(text) + " -o " + word(dir / "out.lathe"), before));
  };
  const Json file = report_on(texts, "");
  const Json pipe = report_on(dir / "pipe", "cat " + word(texts) + " > " + word(dir / "pipe") + " &");
  const auto fidelity = [](const Json& json) { return json.at("models").items().at(1).at("fidelity"); };
  CHECK(fidelity(pipe) == fidelity(file));
}

}  // namespace lathe::cli
