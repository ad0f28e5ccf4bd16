#include <algorithm>
#include <utility>

#include "cli/generate.h"

namespace lathe::cli {

StopText::StopText(std::vector<std::string> stops) : stops_(std::move(stops)) {
  for (const std::string& stop : stops_) {
    if (stop.empty()) fail(Errc::usage, "--stop: a text that ends the output must not be empty");
  }
}

std::string StopText::add(std::string_view piece) {
  if (found_) return {};
  held_ += piece;
  size_t cut = std::string::npos;
  for (const std::string& stop : stops_) cut = std::min(cut, held_.find(stop));
  found_ = cut != std::string::npos;
  if (found_) {
    held_.resize(cut);
    return std::exchange(held_, {});
  }
  size_t kept = 0;
  for (const std::string& stop : stops_) {
    for (size_t length = std::min(stop.size() - 1, held_.size()); length > kept; --length) {
      if (held_.ends_with(std::string_view(stop).substr(0, length))) kept = length;
    }
  }
  std::string shown = held_.substr(0, held_.size() - kept);
  held_.erase(0, shown.size());
  return shown;
}

std::string StopText::finish() { return std::exchange(held_, {}); }

}  // namespace lathe::cli
