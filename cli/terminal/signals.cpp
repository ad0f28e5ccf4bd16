#include "cli/terminal/signals.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <string_view>

#include "cli/exit_codes.h"

namespace lathe::cli {
namespace {

std::atomic<int> stop_signal{0};
std::atomic<int> stop_requests{0};
std::atomic<bool> json_errors{false};
static_assert(std::atomic<int>::is_always_lock_free, "signal handlers use these");

void on_stop(int signal) {
  if (stop_requests.load() > 0 && stop_signal.exchange(signal) == 0) return;
  ::_exit(kExitSignalBase + signal);
}

void write_all(int fd, std::string_view text) {
  const ssize_t ignored = ::write(fd, text.data(), text.size());
  static_cast<void>(ignored);  // the process ends anyway
}

void on_bus_error(int) {
  write_all(STDERR_FILENO, "compress: error: an input file changed or failed while it was being read\n");
  if (json_errors.load()) {
    write_all(STDOUT_FILENO,
              "{\"error\":{\"code\":74,\"kind\":\"io\","
              "\"message\":\"an input file changed or failed while it was being read\"}}\n");
  }
  ::_exit(kExitIo);
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

void install_signal_handlers(bool json) {
  json_errors = json;
  handle(SIGINT, on_stop);
  handle(SIGTERM, on_stop);
  handle(SIGBUS, on_bus_error);
  handle(SIGPIPE, SIG_IGN);
  handle(SIGXFSZ, SIG_IGN);  // beyond the limit on file sizes write() then fails like on a full disk
}

StopRequests::StopRequests() { stop_requests.fetch_add(1); }
StopRequests::~StopRequests() { stop_requests.fetch_sub(1); }

bool interrupted() noexcept { return stop_signal.load() != 0; }

int interrupted_exit_code() noexcept {
  const int signal = stop_signal.load();
  return signal == 0 ? kExitInterrupted : kExitSignalBase + signal;
}

}  // namespace lathe::cli
