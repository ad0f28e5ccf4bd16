#include "cli/training_text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <vector>

#include "cli/text.h"

namespace lathe::cli {
namespace {

constexpr size_t kLongestStage = 24;  // before the bar
constexpr size_t kTrainingBar = 16;

// Parts of the line; of two that do not fit, the one with the larger `rank` goes.
struct Part {
  std::string text;
  int rank;
};

std::string step_text(const TrainingEvent& event) {
  std::string text = "step " + grouped(event.step);
  if (event.steps > 0) text += "/" + grouped(event.steps);
  return text;
}

std::vector<Part> parts_of(const TrainingEvent& event) {
  std::vector<Part> parts = {{step_text(event), 0}};
  if (std::isfinite(event.train_loss)) parts.push_back({"loss " + loss_text(event.train_loss), 2});
  if (std::isfinite(event.held_out_loss)) parts.push_back({"held-out loss " + loss_text(event.held_out_loss), 4});
  if (!event.measure_name.empty() && std::isfinite(event.measure)) {
    parts.push_back({event.measure_name + " " + fixed(event.measure, 4), 3});
  }
  if (event.tokens_per_second > 0 && std::isfinite(event.tokens_per_second)) {
    parts.push_back({grouped(static_cast<uint64_t>(std::llround(event.tokens_per_second))) + " tokens/s", 5});
  }
  if (event.seconds_left > 0 && std::isfinite(event.seconds_left)) {
    parts.push_back({duration_text(event.seconds_left) + " left", 1});
  }
  return parts;
}

std::string joined(const std::vector<Part>& parts, const char* between) {
  std::string text;
  for (const Part& part : parts) text += (text.empty() ? "" : between) + part.text;
  return text;
}

}  // namespace

std::string loss_text(double loss) {
  std::array<char, 64> text{};
  const double size = std::fabs(loss);
  const char* format = size == 0 || (size >= 1e-3 && size < 10) ? "%.4f" : size >= 10 && size < 1e6 ? "%.2f" : "%.2e";
  std::snprintf(text.data(), text.size(), format, loss);
  return text.data();
}

std::string bar_text(double share, size_t width, bool color) {
  const double known = std::isfinite(share) ? std::clamp(share, 0.0, 1.0) : 0.0;
  const auto filled = static_cast<size_t>(known * static_cast<double>(width));
  return (color ? "\x1b[36m" : "[") + std::string(filled, '#') + std::string(width - filled, color ? '-' : ' ') +
         (color ? "\x1b[0m" : "]");
}

std::string training_sentence(const TrainingEvent& event) { return event.stage + ": " + joined(parts_of(event), ", "); }

std::string training_bar(const TrainingEvent& event, double share, size_t width, bool color) {
  std::vector<Part> parts = parts_of(event);
  const std::string stage = event.stage.substr(0, kLongestStage) + " ";
  const size_t head = stage.size() + kTrainingBar + (color ? 0 : 2) + 1;
  while (parts.size() > 1 && head + joined(parts, "  ").size() > width) {
    parts.erase(
        std::max_element(parts.begin(), parts.end(), [](const Part& a, const Part& b) { return a.rank < b.rank; }));
  }
  const std::string rest = joined(parts, "  ");
  if (head + rest.size() <= width) return stage + bar_text(share, kTrainingBar, color) + " " + rest;
  return (stage + rest).substr(0, width);
}

}  // namespace lathe::cli
