#include "cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "cli/signals.h"
#include "cli/text.h"

namespace lathe::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kRedraw = 100ms;
constexpr size_t kBarWidth = 30;
constexpr size_t kNameWidth = 24;

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
  begin_ = Clock::now();
  if (bars_) draw(begin_);
}

void TerminalProgress::advance(uint64_t done_steps) {
  done_ = done_steps;
  const Clock::time_point now = Clock::now();
  if (bars_ && now - last_draw_ >= kRedraw) draw(now);
}

void TerminalProgress::note(const std::string& sentence) {
  if (quiet_) return;
  clear();
  write_stderr("compress: note: " + sentence + "\n");
}

bool TerminalProgress::cancelled() const { return interrupted(); }

void TerminalProgress::draw(Clock::time_point now) {
  last_draw_ = now;
  std::string line = "\r\x1b[K" + pad(name_, kNameWidth);
  if (steps_ > 0) {
    const double share = std::min(1.0, static_cast<double>(done_) / static_cast<double>(steps_));
    const auto filled = static_cast<size_t>(share * kBarWidth);
    line += color_ ? "\x1b[36m" : "[";
    line += std::string(filled, '#') + std::string(kBarWidth - filled, color_ ? '-' : ' ');
    line += color_ ? "\x1b[0m" : "]";
    line += " " + pad_left(fixed(100 * share, 0), 3) + " %";
    if (done_ > 0) {
      const double left =
          seconds(now - begin_) / static_cast<double>(done_) * static_cast<double>(steps_ - std::min(done_, steps_));
      line += "  " + duration_text(left) + " left";
    }
  }
  write_stderr(line);
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
