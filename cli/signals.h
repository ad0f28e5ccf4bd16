#pragma once
// What the command does about signals.

namespace lathe::cli {

/// Installs the handlers, once, before any other work:
/// - SIGINT, SIGTERM: the first ends the process at once, or sets the flag below while a StopRequests lives; the
///   second always ends it at once. The exit code is 128 plus the signal.
/// - SIGPIPE is ignored: writing to a closed pipe is an error like any other.
/// - SIGBUS: a mapped input was cut short by someone else: a message (as JSON too where `json`), exit code 74.
void install_signal_handlers(bool json);

/// While one lives, the first SIGINT or SIGTERM only sets the flag that the work polls.
class StopRequests {
 public:
  StopRequests();
  StopRequests(const StopRequests&) = delete;
  StopRequests& operator=(const StopRequests&) = delete;
  ~StopRequests();
};

/// True once a signal has asked to stop.
bool interrupted() noexcept;
/// 128 plus the signal that asked to stop; 75 when none did.
int interrupted_exit_code() noexcept;

}  // namespace lathe::cli
