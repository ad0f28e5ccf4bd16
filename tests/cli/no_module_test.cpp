// The command without its training module, as in a build without LibTorch.

#include <catch2/catch.hpp>

#include "tests/cli/command.h"
#include "tests/support/paths.h"
#include "tests/support/tiny_model.h"
#include "tests/support/tiny_texts.h"

namespace lathe {
namespace {

using Catch::Matchers::Contains;
using test::CommandResult;
using test::quoted;
using test::read_text;
using test::run_program;
using test::TempDir;
using test::TinyModel;

struct Fixture {
  TempDir dir;
  const std::string model = quoted(TinyModel().write(dir));
  const std::string texts = quoted(dir.write("texts.txt", test::tiny_texts()));
  const std::string labelled = quoted(dir.write("labelled.tsv", test::tiny_texts("\tgood") + "a river\tbad\n"));

  // A copy of the program with nothing beside it.
  CommandResult run(const std::string& arguments) const {
    const std::filesystem::path lonely = dir / "bin" / "compress";
    std::filesystem::create_directories(lonely.parent_path());
    std::filesystem::copy_file(test::command_path(), lonely, std::filesystem::copy_options::overwrite_existing);
    return run_program(lonely, arguments);
  }
};

}  // namespace

TEST_CASE("without the training module training is refused before any work", "[cli][no_module]") {
  const Fixture f;
  const std::filesystem::path output = f.dir.write("out.lathe", "as it was");
  const std::string compress = f.model + " --quant int8 -o " + quoted(output);
  for (const std::string& arguments :
       {compress + " --distill " + f.texts, compress + " --recover blocks",
        compress + " --student layers=1 --distill " + f.texts + " --resume " + quoted(f.dir / "state"),
        "train " + f.model + " --data cls:" + f.labelled + " -o " + quoted(f.dir / "trained" / "deep")}) {
    INFO(arguments);
    const CommandResult result = f.run(arguments);
    INFO(result.err);
    CHECK(result.code == 69);
    CHECK(result.out.empty());
    CHECK_THAT(result.err,
               Contains("lathe-training.so") && Contains("LATHE_TORCH") && Contains((f.dir / "bin").string()));
    CHECK(read_text(output) == "as it was");
    for (const char* name : {"state", "trained"}) CHECK_FALSE(std::filesystem::exists(f.dir / name));
  }
}

TEST_CASE("without the training module everything else works", "[cli][no_module]") {
  const Fixture f;
  const std::string output = quoted(f.dir / "out.lathe");
  const CommandResult result = f.run(f.model + " --student layers=1 --quant int8 --no-bench -q -o " + output);
  INFO(result.err);
  CHECK(result.code == 0);
  CHECK(f.run("verify " + output).code == 0);
  const CommandResult plan = f.run(f.model + " --dry-run --quant int8 --recover blocks --distill " + f.texts);
  CHECK(plan.code == 0);
  CHECK_THAT(plan.out, Contains("distillation"));
}

TEST_CASE("a fault of what training is given is found before its module is looked for", "[cli][no_module]") {
  const Fixture f;
  const std::filesystem::path output = f.dir.write("out.lathe", "as it was");
  const std::string few = quoted(f.dir.write("few.txt", "the cat sat\n"));
  const std::string compress = f.model + " --student layers=1 --quant int8 -o " + quoted(output) + " --distill ";
  const CommandResult too_few = f.run(compress + few);
  CHECK(too_few.code == 65);
  CHECK_THAT(too_few.err, Contains("few.txt") && Contains("at least 64"));
  CHECK(f.run(compress + quoted(f.dir / "absent.txt")).code == 66);
  CHECK(f.run(compress + quoted(f.dir.write("bad.txt", "caf\xe9\n"))).code == 65);
  CHECK(read_text(output) == "as it was");
}

}  // namespace lathe
