#include "cli/terminal/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "cli/terminal/signals.h"
#include "cli/terminal/training_text.h"
#include "cli/text.h"
#include "compress/facts/number_text.h"

namespace lathe::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kRedraw = 100ms;
constexpr size_t kBarWidth = 30;
constexpr size_t kNameWidth = 24;
constexpr size_t kUsualColumns = 80;

bool is_drawable_terminal() {
  const char* term = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

bool wants_color() {
  const char* no_color = std::getenv("NO_COLOR");
  return no_color == nullptr || *no_color == '\0';
}

void write_stderr(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

// One column less than the terminal has: a line that fills it would move the cursor to the next line.
size_t usable_columns() {
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
  return (known ? size.ws_col : kUsualColumns) - 1;
}

double seconds(std::chrono::steady_clock::duration time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

TerminalProgress::TerminalProgress(bool quiet)
    : quiet_(quiet), bars_(!quiet && is_drawable_terminal()), color_(wants_color()) {}

TerminalProgress::~TerminalProgress() { finish(); }

void TerminalProgress::stage(const std::string& name, uint64_t steps) {
  finish();
  name_ = name;
  steps_ = steps;
  done_ = 0;
  trains_ = false;
  begin_ = Clock::now();
  if (bars_) draw(begin_);
}

void TerminalProgress::advance(uint64_t done_steps) {
  done_ = done_steps;
  const Clock::time_point now = Clock::now();
  if (bars_ && !trains_ && now - last_draw_ >= kRedraw) draw(now);
}

void TerminalProgress::note(const std::string& sentence) {
  if (quiet_) return;
  clear();
  write_stderr("compress: note: " + sentence + "\n");
}

void TerminalProgress::training(const TrainingEvent& event) {
  trains_ = true;
  const Clock::time_point now = Clock::now();
  if (bars_) {
    if (event.checked || now - last_draw_ >= kRedraw) draw_training(event, now);
  } else if (event.checked) {
    write_stderr("compress: " + training_sentence(event) + "\n");
  }
}

bool TerminalProgress::cancelled() const { return interrupted(); }

void TerminalProgress::draw(Clock::time_point now) {
  last_draw_ = now;
  std::string line = "\r\x1b[K" + pad(name_, kNameWidth);
  if (steps_ > 0) {
    const double share = std::min(1.0, static_cast<double>(done_) / static_cast<double>(steps_));
    line += bar_text(share, kBarWidth, color_) + " " + pad_left(fixed_text(100 * share, 0), 3) + " %";
    if (done_ > 0) {
      const double left =
          seconds(now - begin_) / static_cast<double>(done_) * static_cast<double>(steps_ - std::min(done_, steps_));
      line += "  " + duration_text(left) + " left";
    }
  }
  write_stderr(line);
  drawn_ = true;
}

void TerminalProgress::draw_training(const TrainingEvent& event, Clock::time_point now) {
  last_draw_ = now;
  const double gone = seconds(now - begin_);
  const double share = event.steps > 0 ? static_cast<double>(event.step) / static_cast<double>(event.steps)
                                       : gone / (gone + std::max(event.seconds_left, 0.0));
  write_stderr("\r\x1b[K" + training_bar(event, share, usable_columns(), color_));
  drawn_ = true;
}

void TerminalProgress::clear() {
  if (drawn_) write_stderr("\r\x1b[K");
  drawn_ = false;
}

void TerminalProgress::finish() {
  clear();
  if (bars_ && !name_.empty())
    write_stderr(pad(name_, kNameWidth) + duration_text(seconds(Clock::now() - begin_)) + "\n");
  name_.clear();
}

}  // namespace lathe::cli
