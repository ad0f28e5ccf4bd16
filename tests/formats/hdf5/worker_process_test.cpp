// A worker that crashes, hangs, uses too much or lies.

#include "formats/hdf5/worker_process.h"

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "formats/unnamed_file.h"
#include "tests/formats/expect_error.h"
#include "tests/support/temp_dir.h"

namespace lathe {
namespace {

using test::expect_error;
using test::TempDir;

struct Fixture {
  TempDir dir;
  Descriptor input{::open(dir.write("input", "some bytes").c_str(), O_RDONLY | O_CLOEXEC)};
  Descriptor output{open_unnamed_file(dir.path())};
  WorkerLimits limits = {uint64_t{1} << 30, 1'000'000, std::chrono::seconds(1), std::chrono::seconds(60)};

  WorkerJob job(const std::string& script) {
    const auto program = dir.write("worker.sh", "#!/bin/sh\n" + script);
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    return {program, "read", input.get(), output.get(), limits, "weights.h5"};
  }
  void expect(Errc code, const std::vector<std::string>& parts, const std::string& script) {
    INFO(script);
    std::vector<std::string> all = parts;
    all.push_back("weights.h5: ");
    const auto start = std::chrono::steady_clock::now();
    expect_error(code, all, [&] { run_hdf5_worker(job(script)); });
    CHECK(std::chrono::steady_clock::now() - start < limits.wall + std::chrono::seconds(10));
  }
};

TEST_CASE("a worker gets its input, its output, one word and nothing else", "[formats][hdf5]") {
  Fixture f;
  const Descriptor null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const Descriptor inherited(::fcntl(null.get(), F_DUPFD, 25));  // not closed on exec
  ::setenv("LATHE_TEST_SECRET", "secret", 1);
  CHECK_NOTHROW(run_hdf5_worker(f.job(message(
      "cat\n[ \"$1\" = read ] && [ -z \"$LATHE_TEST_SECRET\" ] && [ ! -e /proc/$$/fd/", inherited.get(), " ]\n"))));
  ::unsetenv("LATHE_TEST_SECRET");
  std::array<char, 16> block{};
  CHECK(::pread(f.output.get(), block.data(), block.size(), 0) == 10);
}

TEST_CASE("what a worker reports becomes the error, as far as it is allowed to say it", "[formats][hdf5]") {
  Fixture f;
  const auto report = [](const std::string& text) { return "cat >&2 <<'END'\n" + text + "\nEND\nexit 1\n"; };
  f.expect(Errc::limit, {"too large"}, report(R"({"code":"limit","message":"too large"})"));
  f.expect(Errc::unsupported, {"\\x1b"}, report(R"({"code":"unsupported","message":"a \u001b colour"})"));
  for (const char* nonsense : {"", "no JSON", "[]", "{}", R"({"code":1,"message":"x"})", R"({"code":"limit"})",
                               R"({"code":"interrupted","message":"stop"})", R"({"code":"usage","message":"x"})"}) {
    f.expect(Errc::malformed, {"without a reason"}, report(nonsense));
  }
  f.expect(Errc::malformed, {"without a reason"}, "head -c 200000 /dev/zero >&2\nexit 1\n");
}

TEST_CASE("a worker that crashes is told from one that uses too much", "[formats][hdf5]") {
  Fixture f;
  f.expect(Errc::malformed, {"crashed", "signal 11", "damaged"}, "kill -SEGV $$\n");
  f.expect(Errc::malformed, {"crashed", "signal 6"}, "kill -ABRT $$\n");
  f.expect(Errc::limit, {"1 seconds of processor time"}, "while :; do :; done\n");
  f.expect(Errc::limit, {"1000000 bytes"}, "exec head -c 2000000 /dev/zero\n");
  f.limits.wall = std::chrono::seconds(2);
  f.expect(Errc::limit, {"longer than 2 seconds"}, "exec sleep 100\n");
  f.expect(Errc::limit, {"longer than 2 seconds"}, "exec 2>&-\nexec sleep 100\n");  // says that it has said all
}

TEST_CASE("a worker that is missing or no program is named", "[formats][hdf5]") {
  Fixture f;
  WorkerJob job = f.job("exit 0\n");
  job.program = f.dir / "nothing";
  expect_error(Errc::internal, {"nothing", "cannot be started"}, [&] { run_hdf5_worker(job); });
}

TEST_CASE("limits grow with the file and do not overflow", "[formats][hdf5]") {
  CHECK(hdf5_reading_limits(0).processor == std::chrono::seconds(5));
  CHECK(hdf5_reading_limits(0).memory_bytes == uint64_t{256} << 20);
  const WorkerLimits most = hdf5_reading_limits(~uint64_t{0});
  CHECK(most.memory_bytes < uint64_t{5} << 30);
  CHECK(most.output_bytes >= uint64_t{1} << 62);
}

}  // namespace
}  // namespace lathe
