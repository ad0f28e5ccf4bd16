#pragma once
// Progress on a terminal.

#include <chrono>

#include "compress/progress.h"

namespace lathe::cli {

/// A bar on stderr with the remaining time, where stderr is a terminal that can redraw a line; notes as lines on
/// stderr everywhere. `quiet` silences both. cancelled() follows the signals, see cli/signals.h.
class TerminalProgress : public Progress {
 public:
  explicit TerminalProgress(bool quiet);
  TerminalProgress(const TerminalProgress&) = delete;
  TerminalProgress& operator=(const TerminalProgress&) = delete;
  ~TerminalProgress() override;

  void stage(const std::string& name, uint64_t steps) override;
  void advance(uint64_t done_steps) override;
  void note(const std::string& sentence) override;
  bool cancelled() const override;
  /// Ends the last stage; output may follow.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;

  void draw(Clock::time_point now);
  void clear();

  bool quiet_;
  bool bars_;
  bool color_;
  bool drawn_ = false;
  std::string name_;
  uint64_t steps_ = 0;
  uint64_t done_ = 0;
  Clock::time_point begin_;
  Clock::time_point last_draw_;
};

}  // namespace lathe::cli
