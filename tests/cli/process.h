#pragma once
// The built command as a process that a test can send signals to.

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/cli/command.h"
#include "tests/support/paths.h"

namespace lathe::test {

/// A file descriptor that is closed with the object.
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

/// Starts the command with stderr in `dir`/err and returns its process id.
inline pid_t start(const std::vector<std::string>& args, const TempDir& dir, int in, int out) {
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
  ::dup2(::open(err.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600), STDERR_FILENO);
  ::execv(test::command_path().c_str(), argv.data());
  ::_exit(127);
}

/// Asks every 10 ms, for as long as `seconds`.
template <class Condition>
bool wait_until(const Condition& condition, int seconds = 10) {
  for (int i = 0; i < 100 * seconds; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

/// Waits for the end; 128 plus the signal when a signal ended it.
inline int exit_status(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace lathe::test
