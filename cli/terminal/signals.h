#pragma once
// How the command handles signals.

namespace lathe::cli {

/// Installs the handlers, once, before any other work:
/// - SIGINT, SIGTERM: the first one ends the process at once, unless a StopRequests exists: then it makes interrupted()
///   true. The second one always ends the process at once. The exit code is 128 plus the signal.
/// - SIGPIPE is ignored: writing to a closed pipe is an error like any other.
/// - SIGBUS: another program shortened a mapped input: a message (also as JSON with `json`) and exit code 74.
void install_signal_handlers(bool json);

/// While an object of this class exists, the first SIGINT or SIGTERM only makes interrupted() true.
class StopRequests {
 public:
  StopRequests();
  StopRequests(const StopRequests&) = delete;
  StopRequests& operator=(const StopRequests&) = delete;
  ~StopRequests();
};

/// Whether a signal has asked to stop.
bool interrupted() noexcept;
/// 128 plus the signal that asked to stop; 75 when there was none.
int interrupted_exit_code() noexcept;

}  // namespace lathe::cli
