#include "compress/report/charts/layer_chart.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "compress/facts/number_text.h"
#include "compress/report/charts/svg.h"
#include "formats/artifact/error.h"

namespace lathe::reporting {
namespace {

constexpr double kSmallestLoss = 1e-9;  // of the log scale; a loss of zero is drawn on its lower edge
constexpr double kLargestLoss = 1e3;
constexpr size_t kManyLayers = 60;  // beyond these the dots are smaller

/// What the rows of the layer chart share.
struct Axis {
  size_t count = 0;
  std::string centre(size_t i) const { return percent((static_cast<double>(i) + 0.5) / static_cast<double>(count)); }
  std::string left(size_t i) const { return percent((static_cast<double>(i) + 0.15) / static_cast<double>(count)); }
  std::string width() const { return percent(0.7 / static_cast<double>(count)); }
};

/// The first number among the parts of a dotted name: "encoder.layer.3.attention" gives 3.
std::string block_of(const std::string& name) {
  for (size_t start = 0; start < name.size();) {
    const size_t end = std::min(name.find('.', start), name.size());
    std::string part = name.substr(start, end - start);
    if (!part.empty() && part.size() < 6 && part.find_first_not_of("0123456789") == part.npos) return part;
    start = end + 1;
  }
  return {};
}

struct Decades {
  int low = 0;                          // power of ten
  int high = 0;                         // above low
  double position(double loss) const {  // 0 at the bottom
    const double power = std::log10(std::clamp(loss, kSmallestLoss, kLargestLoss));
    return std::clamp((power - low) / (high - low), 0.0, 1.0);
  }
};

std::optional<Decades> decades_of(const std::vector<LayerPoint>& points) {
  double low = std::numeric_limits<double>::infinity();
  double high = 0;
  bool any = false;
  for (const LayerPoint& point : points) {
    for (const std::optional<double>& loss : {point.before, point.after}) {
      any = any || loss.has_value();
      if (!loss || *loss <= 0) continue;
      low = std::min(low, std::max(*loss, kSmallestLoss));
      high = std::max(high, std::min(*loss, kLargestLoss));
    }
  }
  if (!any) return std::nullopt;
  if (high == 0) return Decades{-4, 0};
  Decades decades{static_cast<int>(std::floor(std::log10(low))), static_cast<int>(std::ceil(std::log10(high)))};
  if (decades.high <= decades.low) decades.high = decades.low + 1;
  return decades;
}

constexpr double kHeading = 26;  // above a panel
constexpr double kLossHeight = 200;
constexpr double kPanelHeight = 44;
constexpr double kGap = 14;

std::string power_text(int power) {
  return power < -4 ? message("1e", power) : fixed_text(std::pow(10, power), std::max(0, -power));
}

void append_loss_panel(std::string& svg, double top, const Decades& decades, const std::vector<LayerPoint>& points) {
  const Axis axis{points.size()};
  svg += text_at("0", top + 12, "label strong", "Relative output error of each layer");
  const double base = top + kHeading + kLossHeight;
  const auto y = [&](double loss) { return base - decades.position(loss) * kLossHeight; };
  const int step = decades.high - decades.low > 6 ? 2 : 1;
  for (int power = decades.low; power <= decades.high; power += step) {
    const double at = y(std::pow(10.0, power));
    svg += line_at("0", at, "100%", at, "grid") + text_at("-8", at + 4, "tick end", power_text(power));
  }
  const double radius = points.size() > kManyLayers ? 2.4 : 4;
  for (size_t i = 0; i < points.size(); ++i) {
    const LayerPoint& point = points[i];
    const std::string x = axis.centre(i);
    if (point.before && point.after) svg += line_at(x, y(*point.before), x, y(*point.after), "stem");
    if (point.before) svg += circle_at(x, y(*point.before), radius, "before");
    if (point.after) svg += circle_at(x, y(*point.after), radius, "after");
  }
}

struct Panel {
  const char* heading;
  std::string top_label;
  double scale;  // value of a full bar
  const char* classes;
  std::optional<double> LayerPoint::*value;
};

void append_panel(std::string& svg, double top, const Panel& panel, const std::vector<LayerPoint>& points) {
  const Axis axis{points.size()};
  const double ceiling = top + kHeading;
  const double base = ceiling + kPanelHeight;
  svg += text_at("0", top + 12, "label strong", panel.heading);
  svg += line_at("0", ceiling, "100%", ceiling, "grid") + text_at("-8", ceiling + 4, "tick end", panel.top_label);
  svg += text_at("-8", base + 4, "tick end", "0");
  for (size_t i = 0; i < points.size(); ++i) {
    const std::optional<double>& value = points[i].*panel.value;
    if (!value || *value <= 0) continue;
    const double height = std::min(*value / panel.scale, 1.0) * kPanelHeight;
    svg += rect_at(axis.left(i), base - height, axis.width(), height, panel.classes);
  }
  svg += line_at("0", base, "100%", base, "base");
}

/// The number of a block under its first layer, at most about thirty of them; row numbers where names hold none.
void append_ticks(std::string& svg, double y, const std::vector<LayerPoint>& points) {
  const Axis axis{points.size()};
  std::vector<std::pair<size_t, std::string>> ticks;
  std::string previous;
  for (size_t i = 0; i < points.size(); ++i) {
    const std::string block = block_of(points[i].name);
    if (!block.empty() && block != previous) ticks.emplace_back(i, block);
    previous = block;
  }
  const bool blocks = !ticks.empty();
  for (size_t i = 0; !blocks && i < points.size(); ++i) ticks.emplace_back(i, std::to_string(i + 1));
  const size_t step = (ticks.size() + 29) / 30;
  for (size_t i = 0; i < ticks.size(); i += step) {
    svg += text_at(axis.left(ticks[i].first), y + 14, "tick", ticks[i].second);
  }
  svg +=
      text_at("0", y + 32, "tick", blocks ? "block, in the order of the model" : "weight, in the order of the model");
}

/// Invisible columns over everything, so that pointing anywhere at a layer names it.
void append_targets(std::string& svg, double height, const std::vector<LayerPoint>& points) {
  const auto count = static_cast<double>(points.size());
  for (size_t i = 0; i < points.size(); ++i) {
    svg += rect_at(percent(static_cast<double>(i) / count), 0, percent(1 / count), height, "target", points[i].title);
  }
}

double largest(const std::vector<LayerPoint>& points, std::optional<double> LayerPoint::*value) {
  double result = 0;
  for (const LayerPoint& point : points) result = std::max(result, (point.*value).value_or(0));
  return result;
}

}  // namespace

std::string layer_chart(const std::string& title, const std::vector<LayerPoint>& points) {
  const std::optional<Decades> decades = decades_of(points);
  const double bits = largest(points, &LayerPoint::bits);
  std::vector<Panel> panels;
  if (largest(points, &LayerPoint::sparsity) > 0) {
    panels.push_back({"Sparsity", "100 %", 1, "sparsity", &LayerPoint::sparsity});
  }
  if (bits > 0) {
    panels.push_back({"Bits per weight", fixed_text(bits, 1), bits, "bits", &LayerPoint::bits});
  }
  if (points.empty() || (!decades && panels.empty())) return {};
  std::string body;
  double y = 0;
  if (decades) {
    append_loss_panel(body, y, *decades, points);
    y += kHeading + kLossHeight + kGap;
  }
  for (const Panel& panel : panels) {
    append_panel(body, y, panel, points);
    y += kHeading + kPanelHeight + kGap;
  }
  y -= kGap;
  append_targets(body, y, points);
  append_ticks(body, y, points);
  return open_svg(title, y + 40) + body + "</svg>";
}

}  // namespace lathe::reporting
