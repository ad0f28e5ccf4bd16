#pragma once
// Charts as inline SVG. Positions across are percentages and text keeps its size, so a chart follows the width of the
// page. Colours come from the classes of the page's style: reference, c0 ... c7, before, after, grid, muted.

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace lathe::reporting {

/// Colours for the parts of a stacked bar: classes c0 to c7.
inline constexpr size_t kPartColours = 8;

struct Bar {
  std::string name;
  std::string figure;  // written at the end of the line
  double value = 0;
  bool reference = false;
};

/// Horizontal bars from zero, each under its name and figure. Values must be finite and not negative.
std::string bar_chart(const std::string& title, const std::vector<Bar>& bars);

struct Part {
  std::string title;  // shown when pointed at
  double value = 0;
  size_t colour = 0;  // below kPartColours
};

struct StackedBar {
  std::string name;
  std::string figure;
  std::vector<Part> parts;
};

/// Horizontal bars of parts on one scale.
std::string stacked_chart(const std::string& title, const std::vector<StackedBar>& bars);

struct LayerPoint {
  std::string name;
  std::string title;               // shown when pointed at
  std::optional<double> before;    // loss
  std::optional<double> after;     // loss
  std::optional<double> sparsity;  // 0 to 1
  std::optional<double> bits;      // per weight
};

/// Three panels over the same layers, left to right: loss before and after on a log scale, sparsity, bits per weight.
/// Panels without any figure are left out; empty when none remains.
std::string layer_chart(const std::string& title, const std::vector<LayerPoint>& points);

}  // namespace lathe::reporting
