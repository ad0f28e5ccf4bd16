// Whatever happens to the command while it writes, its target is what it was before or complete.

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <random>
#include <thread>

#include "formats/artifact/artifact.h"
#include "tests/cli/command.h"
#include "tests/support/compress_tiny.h"
#include "tests/support/paths.h"

namespace lathe {
namespace {

using Catch::Matchers::Contains;
using test::file_bytes;
using test::quoted;
using test::run_compress;
using test::TempDir;
using test::TinyModel;

struct Fixture {
  TempDir dir;
  std::string model = TinyModel().write(dir).string();
  std::string text = dir.write("text.txt", test::tiny_text(400)).string();
  std::filesystem::path folder = dir / "out";
  std::filesystem::path target = folder / "out.lathe";
  std::string old = "what was there before";

  Fixture() { std::filesystem::create_directory(folder); }

  std::vector<std::string> arguments() const {
    return {test::command_path(), model, "-o",         target.string(), "--quant",   "int8", "--prune", "0.5",
            "--calibrate",        text,  "--no-bench", "--quiet",       "--threads", "1"};
  }
  void restore(bool with_old) const {
    std::filesystem::remove(target);
    if (with_old) dir.write("out/out.lathe", old);
  }
  size_t files() const {
    const auto entries = std::filesystem::directory_iterator(folder);
    return static_cast<size_t>(std::distance(begin(entries), end(entries)));
  }
};

/// Starts the command with no output; `prepare` runs in the child.
template <class Prepare>
pid_t start(const std::vector<std::string>& arguments, Prepare prepare) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  // The handlers of the test program are not for its children, and a signal may come before the new program runs.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &before);
  const pid_t pid = ::fork();
  if (pid != 0) {
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    return pid;
  }
  for (const int signal : {SIGTERM, SIGINT, SIGXFSZ}) ::signal(signal, SIG_DFL);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  const int null = ::open("/dev/null", O_RDWR);
  ::dup2(null, STDOUT_FILENO);
  ::dup2(null, STDERR_FILENO);
  prepare();
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

/// As a shell shows it.
int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Without them a kill leaves the temporary file behind, which is not the command's fault.
bool has_unnamed_files(const std::filesystem::path& folder) {
  const int file = ::open(folder.c_str(), O_TMPFILE | O_RDWR, 0600);
  if (file >= 0) ::close(file);
  return file >= 0;
}

}  // namespace

TEST_CASE("killed at any moment, the command leaves the old file or the complete new one", "[compress][durability]") {
  const Fixture f;
  const auto begin = std::chrono::steady_clock::now();
  REQUIRE(wait_for(start(f.arguments(), [] {})) == 0);
  const std::chrono::duration<double> whole = std::chrono::steady_clock::now() - begin;
  const std::string complete = file_bytes(f.target);
  REQUIRE(Artifact::open(f.target).verify().empty());
  const bool unnamed = has_unnamed_files(f.folder);
  if (!unnamed) WARN("this file system has no unnamed files: only SIGTERM is tried");

  constexpr int kRounds = 40;
  std::mt19937 random(3);
  size_t strays = 0;
  int cut_short = 0;
  for (int round = 0; round < kRounds; ++round) {
    const bool with_old = round % 2 == 0;
    const int signal = unnamed && round % 4 < 2 ? SIGKILL : SIGTERM;
    f.restore(with_old);
    const double seconds = 1.1 * std::min(whole.count(), 0.5) * static_cast<double>(random()) / 4294967296.0;
    const pid_t pid = start(f.arguments(), [] {});
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    ::kill(pid, signal);
    const int code = wait_for(pid);
    CAPTURE(round, signal, seconds, code);
    CHECK((code == 0 || code == 128 + signal));
    if (code != 0) ++cut_short;
    const bool there = std::filesystem::exists(f.target);
    if (with_old) CHECK(there);
    const std::string content = there ? file_bytes(f.target) : "";
    const bool untouched = content == (with_old ? f.old : "");
    CHECK((untouched || content == complete));
    const size_t stray = f.files() - (there ? 1 : 0);
    if (signal == SIGTERM) CHECK(stray == 0);
    strays += stray;
    for (const auto& entry : std::filesystem::directory_iterator(f.folder)) {
      if (entry.path() != f.target) std::filesystem::remove(entry.path());
    }
  }
  CHECK(cut_short > 0);
  CHECK(strays <= 1);  // between naming the finished file and renaming it lie microseconds
}

TEST_CASE("killed again and again, a command with --resume goes on and ends with the same bytes",
          "[compress][durability][resume]") {
  const Fixture f;
  const auto begin = std::chrono::steady_clock::now();
  REQUIRE(wait_for(start(f.arguments(), [] {})) == 0);
  const std::chrono::duration<double> whole = std::chrono::steady_clock::now() - begin;
  const std::string complete = file_bytes(f.target);
  std::vector<std::string> arguments = f.arguments();
  arguments.insert(arguments.end(), {"--resume", f.dir / "state"});

  constexpr int kRounds = 4;
  constexpr int kKills = 6;
  std::mt19937 random(5);
  int cut_short = 0;
  for (int round = 0; round < kRounds; ++round) {
    f.restore(false);
    std::filesystem::remove_all(f.dir / "state");
    for (int kill = 0; kill < kKills; ++kill) {
      const int signal = kill % 3 == 2 ? SIGTERM : SIGKILL;
      const double seconds = std::min(whole.count(), 0.5) * static_cast<double>(random()) / 4294967296.0;
      const pid_t pid = start(arguments, [] {});
      std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
      ::kill(pid, signal);
      const int code = wait_for(pid);
      CAPTURE(round, kill, signal, seconds, code);
      CHECK((code == 0 || code == 128 + signal || (signal == SIGTERM && code == 75)));
      if (code != 0) ++cut_short;
    }
    REQUIRE(wait_for(start(arguments, [] {})) == 0);
    CHECK(file_bytes(f.target) == complete);
  }
  CHECK(cut_short > 0);
}

TEST_CASE("a file that cannot be created is exit code 73 before any work", "[compress][durability]") {
  const Fixture f;
  const auto expect = [&](const std::filesystem::path& out, const std::string& part) {
    const auto result = run_compress(quoted(f.model) + " --quant int8 -o " + quoted(out.string()));
    INFO(result.err);
    CHECK(result.code == 73);
    CHECK_THAT(result.err, Contains(part));
  };
  expect(f.dir / "nowhere" / "out.lathe", "nowhere");
  expect(std::filesystem::path(f.text) / "out.lathe", "text.txt");
  expect(f.folder, "folder");
  if (::geteuid() == 0) return;  // root writes everywhere
  std::filesystem::permissions(f.folder, std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  expect(f.target, "out.lathe");
  std::filesystem::permissions(f.folder, std::filesystem::perms::owner_all);
}

TEST_CASE("when writing fails half-way the exit code is 74 and the old file stays", "[compress][durability]") {
  const Fixture f;
  const rlim_t limit = GENERATE(rlim_t{100}, rlim_t{4096}, rlim_t{20000});
  CAPTURE(limit);
  f.restore(true);
  const int code = wait_for(start(f.arguments(), [limit] {
    const struct rlimit size { limit, limit };
    ::setrlimit(RLIMIT_FSIZE, &size);
  }));
  CHECK(code == 74);
  CHECK(file_bytes(f.target) == f.old);
  CHECK(f.files() == 1);
}

TEST_CASE("the checkpoint is never its own output, by whatever name", "[compress][durability]") {
  const Fixture f;
  const std::filesystem::path weights = std::filesystem::path(f.model) / "model.safetensors";
  const std::string before = file_bytes(weights);
  std::filesystem::create_hard_link(weights, f.folder / "hard.lathe");
  std::filesystem::create_symlink(weights, f.folder / "soft.lathe");
  for (const std::filesystem::path& out : {weights, f.folder / "hard.lathe", f.folder / "soft.lathe",
                                           std::filesystem::path(f.model) / "." / "model.safetensors"}) {
    const auto result = run_compress(quoted(f.model) + " --quant int8 -o " + quoted(out.string()));
    INFO(out << ": " << result.err);
    CHECK(result.code == 64);
    CHECK_THAT(result.err, Contains("is an input"));
    CHECK(file_bytes(weights) == before);
  }
}

TEST_CASE("the command gives the same bytes from any folder and in any language", "[compress][durability]") {
  const Fixture f;
  const std::string options = " --quant int4 --prune 0.5 --low-rank 10 --no-bench --quiet --calibrate ";
  REQUIRE(run_compress(quoted(f.model) + options + quoted(f.text) + " -o " + quoted(f.target.string())).code == 0);
  const auto result = run_compress("model" + options + "text.txt -o again.lathe",
                                   "cd " + quoted(f.dir.path().string()) + " && LC_ALL=de_DE.UTF-8 TZ=Asia/Tokyo");
  INFO(result.err);
  REQUIRE(result.code == 0);
  CHECK(file_bytes(f.dir / "again.lathe") == file_bytes(f.target));
}

}  // namespace lathe
