#pragma once
// Progress on a terminal.

#include <chrono>

#include "compress/job/progress.h"

namespace lathe::cli {

/// Draws a bar with the remaining time on stderr when stderr is a terminal that can redraw a line, and writes notes to
/// stderr as lines. `quiet` turns both off. Without a bar, each check of training is a line on stderr, even with
/// `quiet`: training takes hours, and the user must see that it goes on. cancelled() is true after a signal
/// (cli/terminal/signals.h).
class TerminalProgress : public Progress {
 public:
  explicit TerminalProgress(bool quiet);
  TerminalProgress(const TerminalProgress&) = delete;
  TerminalProgress& operator=(const TerminalProgress&) = delete;
  ~TerminalProgress() override;

  void stage(const std::string& name, uint64_t steps) override;
  void advance(uint64_t done_steps) override;
  void note(const std::string& sentence) override;
  void training(const TrainingEvent& event) override;
  bool cancelled() const override;
  /// Ends the last stage, so that other output may follow.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;

  void draw(Clock::time_point now);
  void draw_training(const TrainingEvent& event, Clock::time_point now);
  void clear();

  bool quiet_;
  bool bars_;
  bool color_;
  bool drawn_ = false;
  bool trains_ = false;  // the stage shows events of training instead of its steps
  std::string name_;
  uint64_t steps_ = 0;
  uint64_t done_ = 0;
  Clock::time_point begin_;
  Clock::time_point last_draw_;
};

}  // namespace lathe::cli
