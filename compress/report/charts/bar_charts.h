#pragma once
// Bars as inline SVG. Horizontal positions are percentages and text keeps its size, so a chart follows the width of the
// page. Colours come from the classes of the page's style.

#include <cstddef>
#include <string>
#include <vector>

namespace lathe::reporting {

/// Colours for the segments of a stacked bar: classes c0 to c7.
inline constexpr size_t kSegmentColours = 8;

struct Bar {
  std::string name;
  std::string figure;  // the text at the end of the line
  double value = 0;
  bool reference = false;
};

/// Horizontal bars from zero, each under its name and figure. Values must be finite and not negative.
std::string bar_chart(const std::string& title, const std::vector<Bar>& bars);

struct Segment {
  std::string title;  // shown when pointed at
  double value = 0;
  size_t colour = 0;  // below kSegmentColours
};

struct StackedBar {
  std::string name;
  std::string figure;
  std::vector<Segment> segments;
};

/// Horizontal bars that are made of segments, all on one scale.
std::string stacked_chart(const std::string& title, const std::vector<StackedBar>& bars);

}  // namespace lathe::reporting
