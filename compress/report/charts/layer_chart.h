#pragma once
// The losses, the sparsity and the bits of all weights of a model in one chart, as inline SVG that follows the width of
// the page.

#include <optional>
#include <string>
#include <vector>

namespace lathe::reporting {

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
