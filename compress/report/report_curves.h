#pragma once
// Curves over the steps of training, as inline SVG that follows the width of the page.

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lathe::reporting {

struct Curve {
  const char* classes;                            // of its line and dots: "train", "held", "measure"
  std::vector<std::pair<double, double>> points;  // step and value, steps rising, all finite
  bool dots = false;
};

struct CurveChart {
  std::string title;    // for readers who cannot see it
  std::string heading;  // over the panel
  std::vector<Curve> curves;
  double steps = 0;                                     // where the axis ends; at least the last point is shown
  std::optional<double> mark;                           // a step that is drawn as a line from top to bottom
  std::string mark_text;                                // at its head
  std::vector<std::pair<double, std::string>> pointed;  // step, and what is shown when it is pointed at
};

/// One panel; values that differ by more than a factor of 20 stand on a log scale. Empty when no curve has a point.
std::string curve_chart(const CurveChart& chart);

/// A step of 1, 2 or 5 times a power of ten that cuts `span` into at most `parts` parts; 1 when the span is not
/// positive.
double nice_step(double span, int parts);

}  // namespace lathe::reporting
