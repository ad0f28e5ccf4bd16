#include "cli/terminal/training_text.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "cli/text.h"
#include "compress/facts/number_text.h"

namespace lathe::cli {
namespace {

constexpr size_t kLongestStage = 24;  // before the bar
constexpr size_t kTrainingBar = 16;

// A piece of the line. Where not all of them fit, those with the largest rank are left out.
struct Phrase {
  std::string text;
  int rank;
};

std::string step_text(const TrainingEvent& event) {
  std::string text = "step " + count_text(event.step);
  if (event.steps > 0) text += "/" + count_text(event.steps);
  return text;
}

std::vector<Phrase> phrases_of(const TrainingEvent& event) {
  std::vector<Phrase> phrases = {{step_text(event), 0}};
  if (std::isfinite(event.train_loss)) phrases.push_back({"loss " + loss_text(event.train_loss), 2});
  if (std::isfinite(event.held_out_loss)) phrases.push_back({"held-out loss " + loss_text(event.held_out_loss), 4});
  if (!event.measure_name.empty() && std::isfinite(event.measure)) {
    phrases.push_back({event.measure_name + " " + fixed_text(event.measure, 4), 3});
  }
  if (event.tokens_per_second > 0 && std::isfinite(event.tokens_per_second)) {
    phrases.push_back({count_text(static_cast<uint64_t>(std::llround(event.tokens_per_second))) + " tokens/s", 5});
  }
  if (event.seconds_left > 0 && std::isfinite(event.seconds_left)) {
    phrases.push_back({duration_text(event.seconds_left) + " left", 1});
  }
  return phrases;
}

std::string joined(const std::vector<Phrase>& phrases, const char* between) {
  std::string text;
  for (const Phrase& phrase : phrases) text += (text.empty() ? "" : between) + phrase.text;
  return text;
}

}  // namespace

std::string bar_text(double share, size_t width, bool color) {
  const double known = std::isfinite(share) ? std::clamp(share, 0.0, 1.0) : 0.0;
  const auto filled = static_cast<size_t>(known * static_cast<double>(width));
  return (color ? "\x1b[36m" : "[") + std::string(filled, '#') + std::string(width - filled, color ? '-' : ' ') +
         (color ? "\x1b[0m" : "]");
}

std::string training_sentence(const TrainingEvent& event) {
  return event.stage + ": " + joined(phrases_of(event), ", ");
}

std::string training_bar(const TrainingEvent& event, double share, size_t width, bool color) {
  std::vector<Phrase> phrases = phrases_of(event);
  const std::string stage = event.stage.substr(0, kLongestStage) + " ";
  const size_t head = stage.size() + kTrainingBar + (color ? 0 : 2) + 1;
  while (phrases.size() > 1 && head + joined(phrases, "  ").size() > width) {
    phrases.erase(std::max_element(phrases.begin(), phrases.end(),
                                   [](const Phrase& a, const Phrase& b) { return a.rank < b.rank; }));
  }
  const std::string rest = joined(phrases, "  ");
  if (head + rest.size() <= width) return stage + bar_text(share, kTrainingBar, color) + " " + rest;
  return (stage + rest).substr(0, width);
}

}  // namespace lathe::cli
