// What the command does when its surroundings fail it.

#include <catch2/catch.hpp>

#include "tests/cli/process.h"
#include "tests/support/tiny_artifact.h"

namespace lathe {
namespace {

using Catch::Matchers::Contains;
using test::exit_status;
using test::File;
using test::Pipe;
using test::read_text;
using test::start;
using test::TempDir;
using test::wait_until;
using test::write_tiny;

bool has_mapped(pid_t child, const std::string& file) {
  return read_text("/proc/" + std::to_string(child) + "/maps").find(file) != std::string::npos;
}

}  // namespace

TEST_CASE("SIGTERM and SIGINT end a long command with 128 plus their number", "[cli][signals]") {
  const TempDir dir;
  const std::string model = write_tiny(dir / "m.lathe").string();
  const File out(dir / "out");
  const File null("/dev/null");
  const int signal = GENERATE(SIGTERM, SIGINT);
  const pid_t child = start({"bench", model, "--runs", "1000000"}, dir, null.fd, out.fd);
  CHECK(wait_until([&] { return has_mapped(child, model); }));
  ::kill(child, signal);
  CHECK(exit_status(child) == 128 + signal);
  CHECK(read_text(dir / "out").empty());
}

TEST_CASE("an interrupted run leaves no output file", "[cli][signals]") {
  const TempDir dir;
  const std::string model = write_tiny(dir / "m.lathe").string();
  std::filesystem::create_directory(dir / "to");
  const File null("/dev/null");
  const Pipe pipe;
  std::string line = "the cat sat on the mat\n";
  const pid_t child = start({"run", model, "-o", (dir / "to" / "rows.tsv").string()}, dir, pipe.reader->fd, null.fd);
  CHECK(wait_until([&] { return has_mapped(child, model); }));
  CHECK(::write(pipe.writer->fd, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
  ::kill(child, SIGTERM);
  CHECK(exit_status(child) == 128 + SIGTERM);
  CHECK(std::filesystem::is_empty(dir / "to"));
}

TEST_CASE("a reader that goes away is an I/O error, not a signal", "[cli][signals]") {
  const TempDir dir;
  const std::string model = write_tiny(dir / "m.lathe").string();
  const File null("/dev/null");
  const Pipe pipe;
  pipe.reader->close();
  CHECK(exit_status(start({"run", model, "--text", "cat"}, dir, null.fd, pipe.writer->fd)) == 74);
  CHECK_THAT(read_text(dir / "err"), Contains("standard output"));
}

TEST_CASE("a full device is an I/O error", "[cli][signals]") {
  const TempDir dir;
  const std::string model = write_tiny(dir / "m.lathe").string();
  const File null("/dev/null");
  const File full("/dev/full", O_WRONLY);
  CHECK(exit_status(start({"run", model, "--text", "cat"}, dir, null.fd, full.fd)) == 74);
  CHECK_THAT(read_text(dir / "err"), Contains("standard output"));
}

TEST_CASE("an input that shrinks while it is used is an I/O error", "[cli][signals]") {
  const TempDir dir;
  const std::string model = write_tiny(dir / "m.lathe").string();
  const File out(dir / "out");
  const Pipe pipe;
  const pid_t child = start({"run", model, "--json"}, dir, pipe.reader->fd, out.fd);
  pipe.reader->close();
  CHECK(wait_until([&] { return has_mapped(child, model); }));
  std::filesystem::resize_file(model, 0);
  CHECK(::write(pipe.writer->fd, "cat\n", 4) == 4);
  pipe.writer->close();
  CHECK(exit_status(child) == 74);
  CHECK_THAT(read_text(dir / "err"), Contains("changed"));
  CHECK_THAT(read_text(dir / "out"), Contains("\"code\":74"));
}

}  // namespace lathe
