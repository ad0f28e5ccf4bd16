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
  std::string title;    // what screen readers say
  std::string heading;  // over the panel
  std::vector<Curve> curves;
  double steps = 0;                                     // where the axis ends, unless a point lies after it
  std::optional<double> mark;                           // a step that is drawn as a vertical line
  std::string mark_text;                                // the text above that line
  std::vector<std::pair<double, std::string>> pointed;  // steps, and what is shown when the mouse points at them
};

/// One panel. Values that differ by more than a factor of 20 are drawn on a log scale. Empty when no curve has a point.
std::string curve_chart(const CurveChart& chart);

/// A step of 1, 2 or 5 times a power of ten that cuts `span` into at most `parts` parts; 1 when the span is not
/// positive.
double nice_step(double span, int parts);

}  // namespace lathe::reporting
