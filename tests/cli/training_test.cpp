// Training as the users of the command meet it. Needs the training module.

#include <catch2/catch.hpp>

#include "tests/cli/process.h"
#include "tests/support/tiny_model.h"
#include "tests/support/tiny_texts.h"

namespace lathe {
namespace {

using Catch::Matchers::Contains;
using test::CommandResult;
using test::File;
using test::quoted;
using test::read_text;
using test::run_compress;
using test::TempDir;
using test::TinyModel;

struct Fixture {
  TempDir dir;
  const std::string model = TinyModel().write(dir).string();
  const std::string texts = dir.write("texts.txt", test::tiny_texts()).string();
  const std::string output = (dir / "out.lathe").string();
  const std::string state = (dir / "state").string();

  std::vector<std::string> distill(int steps) const {
    return {model,
            "--quant",
            "int8",
            "--prune",
            "0.6",
            "--no-bench",
            "--distill",
            texts,
            "--steps",
            std::to_string(steps),
            "--learning-rate",
            "0.0003",
            "--threads",
            "1",
            "-o",
            output};
  }
  // Starts training, stops it by SIGINT once a step was taken, and returns how it ended.
  int stopped(const std::vector<std::string>& args, const std::string& until) const {
    const File null("/dev/null");
    std::filesystem::remove(dir / "err");  // of an earlier run
    const pid_t child = test::start(args, dir, null.fd, null.fd);
    CHECK(test::wait_until([&] { return said().find(until) != std::string::npos; }, 120));
    ::kill(child, SIGINT);
    return test::exit_status(child);
  }
  std::string said() const { return read_text(dir / "err"); }
};

std::string shell(const std::vector<std::string>& args) {
  std::string text;
  for (const std::string& arg : args) text += quoted(arg) + " ";
  return text;
}

std::vector<std::string> operator+(std::vector<std::string> args, const std::vector<std::string>& more) {
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

constexpr int kEndless = 10'000'000;

}  // namespace

TEST_CASE("a distillation that is stopped without --resume leaves nothing and ends with 130", "[cli][training]") {
  const Fixture f;
  CHECK(f.stopped(f.distill(kEndless), "step 0/") == 130);
  CHECK_THAT(f.said(), Contains("nothing was written"));
  CHECK_FALSE(std::filesystem::exists(f.output));
  CHECK_FALSE(std::filesystem::exists(f.state));
}

TEST_CASE("a distillation that is stopped with --resume keeps its state and ends with 75", "[cli][training]") {
  const Fixture f;
  const std::vector<std::string> command = f.distill(kEndless) + std::vector<std::string>{"--resume", f.state};
  CHECK(f.stopped(command, "step 0/") == 75);
  CHECK_THAT(f.said(), Contains("the same command goes on"));
  CHECK_FALSE(std::filesystem::exists(f.output));
  CHECK_FALSE(std::filesystem::is_empty(f.state));
  CHECK(f.stopped(command, "going on from step") == 75);
  const CommandResult other = run_compress(shell(command + std::vector<std::string>{"--seed", "1"}));
  CHECK(other.code == 64);
  CHECK_THAT(other.err, Contains("another run"));
}

TEST_CASE("a distillation that was stopped and went on ends with the bytes of one that was not", "[cli][training]") {
  const Fixture f;
  const std::vector<std::string> command = f.distill(400) + std::vector<std::string>{"--resume", f.state};
  const int code = f.stopped(command, "step 100/");
  const bool was_stopped = code == 75;
  CHECK((was_stopped || code == 0));  // or it was faster than the signal
  if (was_stopped) CHECK(run_compress(shell(command)).code == 0);
  const std::string resumed = read_text(f.output);
  std::filesystem::remove(f.output);
  REQUIRE(run_compress(shell(f.distill(400))).code == 0);
  CHECK((read_text(f.output) == resumed && !resumed.empty()));
}

TEST_CASE("a stopped fine-tuning leaves no folder, and with --resume its state", "[cli][training]") {
  const Fixture f;
  const std::string data = f.dir.write("l.tsv", test::tiny_texts("\tgood") + "a river\tbad\n").string();
  const std::vector<std::string> command = {"train",   f.model,  "--data",    "cls:" + data, "-o", f.dir / "to" / "new",
                                            "--steps", "100000", "--threads", "1",           "-q"};
  CHECK(f.stopped(command, "step 0/") == 130);
  CHECK_FALSE(std::filesystem::exists(f.dir / "to"));
  CHECK(f.stopped(command + std::vector<std::string>{"--resume", f.state}, "step 0/") == 75);
  CHECK_FALSE(std::filesystem::exists(f.dir / "to"));
  CHECK_FALSE(std::filesystem::is_empty(f.state));
}

TEST_CASE("fewer samples than block reconstruction needs are an error before any work", "[cli][training]") {
  const Fixture f;
  const std::string command = shell({f.model, "--quant", "int8", "--recover", "blocks", "-o", f.output});
  const CommandResult few = run_compress(command + "--calibration-tokens 300");
  CHECK(few.code == 65);
  CHECK_THAT(few.err, Contains("block reconstruction needs at least 20"));
  CHECK_FALSE(std::filesystem::exists(f.output));
  const CommandResult enough = run_compress(command + "--calibration-tokens 2000 --no-bench -q");
  INFO(enough.err);
  CHECK(enough.code == 0);
}

}  // namespace lathe
