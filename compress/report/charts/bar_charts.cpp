#include "compress/report/charts/bar_charts.h"

#include <algorithm>

#include "compress/report/charts/svg.h"
#include "compress/report/visible_text.h"

namespace lathe::reporting {
namespace {

constexpr size_t kLongestBarName = 20;  // beside a figure, where charts stand side by side
constexpr size_t kLongestStackedName = 32;
constexpr double kBarRow = 40;  // of a name, a bar and the gap below
constexpr double kBarTop = 20;
constexpr double kBarHeight = 12;

std::string bar_heading(double top, const std::string& name, size_t longest, const std::string& figure) {
  const std::string shown = shortened(name, longest, "\xe2\x80\xa6");
  return text_at("0", top + 13, "label", shown) + text_at("100%", top + 13, "label end strong", figure);
}

}  // namespace

std::string bar_chart(const std::string& title, const std::vector<Bar>& bars) {
  double scale = 0;
  for (const Bar& bar : bars) scale = std::max(scale, bar.value);
  std::string svg = open_svg(title, kBarRow * static_cast<double>(bars.size()));
  double top = 0;
  for (const Bar& bar : bars) {
    const double width = scale > 0 ? bar.value / scale : 0;
    svg += "<g>" + bar_heading(top, bar.name, kLongestBarName, bar.figure);
    svg += rect_at("0", top + kBarTop, "100%", kBarHeight, "track");
    svg += rect_at("0", top + kBarTop, percent(width), kBarHeight, bar.reference ? "reference" : "after",
                   bar.name + ": " + bar.figure);
    svg += "</g>";
    top += kBarRow;
  }
  return svg + "</svg>";
}

std::string stacked_chart(const std::string& title, const std::vector<StackedBar>& bars) {
  const auto total = [](const StackedBar& bar) {
    double sum = 0;
    for (const Segment& segment : bar.segments) sum += segment.value;
    return sum;
  };
  double scale = 0;
  for (const StackedBar& bar : bars) scale = std::max(scale, total(bar));
  std::string svg = open_svg(title, kBarRow * static_cast<double>(bars.size()));
  double top = 0;
  for (const StackedBar& bar : bars) {
    svg += "<g>" + bar_heading(top, bar.name, kLongestStackedName, bar.figure) +
           rect_at("0", top + kBarTop, "100%", kBarHeight, "track");
    double start = 0;
    for (const Segment& part : bar.segments) {
      if (scale <= 0 || part.value <= 0) continue;
      svg += rect_at(percent(start / scale), top + kBarTop, percent(part.value / scale), kBarHeight,
                     "c" + std::to_string(std::min(part.colour, kSegmentColours - 1)), part.title);
      start += part.value;
    }
    svg += "</g>";
    top += kBarRow;
  }
  return svg + "</svg>";
}

}  // namespace lathe::reporting
