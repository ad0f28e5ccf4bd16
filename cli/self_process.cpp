#include "cli/self_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "formats/artifact/error.h"

namespace lathe::cli {
namespace {

constexpr const char* kSelf = "/proc/self/exe";

[[noreturn]] void become(char* const* argv, int out) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::dup2(out, STDOUT_FILENO);
  ::execv(kSelf, argv);
  ::_exit(127);
}

std::string read_all(int fd) {
  std::string text;
  std::array<char, 4096> block;
  for (;;) {
    const ssize_t count = ::read(fd, block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return text;
    text.append(block.data(), static_cast<size_t>(count));
  }
}

}  // namespace

std::string output_of_self(const std::vector<std::string>& args) {
  // Everything that allocates is done before fork(): other threads may hold the allocator's lock in the child.
  std::vector<std::string> copies = {"compress"};
  copies.insert(copies.end(), args.begin(), args.end());
  std::vector<char*> argv;
  for (std::string& copy : copies) argv.push_back(copy.data());
  argv.push_back(nullptr);

  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail(Errc::internal, message("cannot make a pipe: ", std::strerror(errno)));
  const pid_t child = ::fork();
  if (child < 0) {
    ::close(ends[0]);
    ::close(ends[1]);
    fail(Errc::internal, message("cannot start a process: ", std::strerror(errno)));
  }
  if (child == 0) become(argv.data(), ends[1]);
  ::close(ends[1]);
  const std::string text = read_all(ends[0]);
  ::close(ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    fail(Errc::internal, message("'compress ", args.empty() ? "" : args[0], "' run by this program ended with status ",
                                 WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)));
  }
  return text;
}

}  // namespace lathe::cli
