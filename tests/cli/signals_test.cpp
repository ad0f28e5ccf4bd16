// What the command does when its surroundings fail it.

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <thread>

#include "tests/cli/command.h"
#include "tests/support/tiny_artifact.h"

namespace lathe {
namespace {

using Catch::Matchers::Contains;
using test::read_text;
using test::TempDir;
using test::write_tiny;

// Starts the command with stderr in `dir`/err and returns its process id.
pid_t start(const std::vector<std::string>& args, const TempDir& dir, int in, int out) {
  std::vector<std::string> copies = {"compress"};
  copies.insert(copies.end(), args.begin(), args.end());
  std::vector<char*> argv;
  for (std::string& copy : copies) argv.push_back(copy.data());
  argv.push_back(nullptr);
  const std::string err = dir / "err";
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::dup2(in, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(::open(err.c_str(), O_CREAT | O_WRONLY, 0600), STDERR_FILENO);
  ::execv(LATHE_COMPRESS_BINARY, argv.data());
  ::_exit(127);
}

class File {
 public:
  explicit File(const std::string& path, int flags = O_RDWR | O_CREAT)
      : fd(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {
    if (fd < 0) throw std::runtime_error("cannot open " + path);
  }
  explicit File(int open_fd) : fd(open_fd) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { close(); }
  void close() {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }

  int fd;
};

struct Pipe {
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("cannot make a pipe");
    reader = std::make_unique<File>(ends[0]);
    writer = std::make_unique<File>(ends[1]);
  }
  std::unique_ptr<File> reader, writer;
};

template <class Condition>
bool wait_until(const Condition& condition) {
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

bool has_mapped(pid_t child, const std::string& file) {
  return read_text("/proc/" + std::to_string(child) + "/maps").find(file) != std::string::npos;
}

int exit_status(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
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
