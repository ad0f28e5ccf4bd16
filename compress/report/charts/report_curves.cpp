#include "compress/report/charts/report_curves.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "compress/facts/number_text.h"
#include "compress/report/charts/svg.h"
#include "formats/artifact/error.h"

namespace lathe::reporting {
namespace {

constexpr double kHeading = 42;  // above the panel: its name, and what the mark is
constexpr double kHeight = 180;
constexpr double kFooter = 40;        // the numbers of the steps
constexpr double kLogFrom = 20;       // largest over smallest value
constexpr double kHeadroom = 0.05;    // of the span, above and below the curves of a linear panel
constexpr size_t kMostDots = 60;      // beyond these a curve is its line alone
constexpr size_t kMostPointed = 400;  // beyond these the places to point at would be thinner than a pixel
constexpr double kDotRadius = 2.6;
constexpr double kGrid = 1000;  // of the lines' own coordinates, stretched over the panel

struct Tick {
  double value;
  std::string text;
};

struct Scale {
  double low = 0;
  double high = 1;
  bool logarithmic = false;
  std::vector<Tick> ticks;
  /// 0 at the bottom, 1 at the top.
  double position(double value) const {
    if (!logarithmic) return std::clamp((value - low) / (high - low), 0.0, 1.0);
    return std::clamp(std::log10(std::max(value, low) / low) / std::log10(high / low), 0.0, 1.0);
  }
};

int decimals_of(double step) { return std::max(-static_cast<int>(std::floor(std::log10(step) + 1e-9)), 0); }

Scale linear_scale(double low, double high) {
  const double span = high > low ? high - low : std::max(std::fabs(high), 1e-6) * 0.1;
  Scale scale{low - kHeadroom * span, high + kHeadroom * span, false, {}};
  if (low >= 0) scale.low = std::max(scale.low, 0.0);
  const double step = nice_step(scale.high - scale.low, 7);
  for (double at = std::ceil(scale.low / step) * step; at <= scale.high; at += step) {
    scale.ticks.push_back({at, fixed_text(std::fabs(at) < step / 2 ? 0.0 : at, decimals_of(step))});
  }
  return scale;
}

std::string power_text(double value) {
  const int decimals = decimals_of(value);
  if (decimals > 4) return message("1e-", decimals);
  return value < 1e6 ? fixed_text(value, decimals) : message("1e", std::lround(std::log10(value)));
}

// Ends on powers of ten, or on their 2 and 5 fold where there are few of them.
Scale log_scale(double low, double high) {
  constexpr double kFolds[] = {1, 2, 5};
  constexpr double kSlack = 1e-9;
  std::vector<double> steps;
  const int first = static_cast<int>(std::floor(std::log10(low)));
  const int last = static_cast<int>(std::ceil(std::log10(high)));
  const bool few = last - first <= 3;
  for (int power = first; power <= last; ++power) {
    for (const double fold : kFolds) {
      if (fold == 1 || few) steps.push_back(fold * std::pow(10.0, power));
    }
  }
  Scale scale{steps.front(), steps.back(), true, {}};
  for (const double step : steps) {
    if (step <= low * (1 + kSlack)) scale.low = step;
  }
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    if (*step >= high * (1 - kSlack)) scale.high = *step;
  }
  const int every = last - first > 8 ? 2 : 1;
  int count = 0;
  for (const double step : steps) {
    if (step < scale.low * (1 - kSlack) || step > scale.high * (1 + kSlack)) continue;
    if (few || count++ % every == 0)
      scale.ticks.push_back({step, few ? fixed_text(step, decimals_of(step)) : power_text(step)});
  }
  return scale;
}

Scale scale_of(const CurveChart& chart) {
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  for (const Curve& curve : chart.curves) {
    for (const auto& [step, value] : curve.points) {
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
  return low > 0 && high / low > kLogFrom ? log_scale(low, high) : linear_scale(low, high);
}

double last_step(const CurveChart& chart) {
  double last = std::max(chart.steps, chart.mark.value_or(0));
  for (const Curve& curve : chart.curves) {
    if (!curve.points.empty()) last = std::max(last, curve.points.back().first);
  }
  return last > 0 ? last : 1;
}

double height_of(double position) { return kHeading + (1 - position) * kHeight; }

std::string line_of(const Curve& curve, const Scale& scale, double last) {
  std::string points;
  for (const auto& [step, value] : curve.points) {
    points += message(points.empty() ? "" : " ", coordinate(step / last * kGrid, 2), ",",
                      coordinate((1 - scale.position(value)) * kGrid, 2));
  }
  return message("<polyline class=\"curve ", curve.classes, "\" points=\"", points, "\"/>");
}

void append_axes(std::string& svg, const Scale& scale, double last) {
  for (const Tick& tick : scale.ticks) {
    const double y = height_of(scale.position(tick.value));
    svg += line_at("0", y, "100%", y, "grid") + text_at("-8", y + 4, "tick end", tick.text);
  }
  const double base = kHeading + kHeight;
  svg += line_at("0", base, "100%", base, "base");
  const double step = std::max(1.0, nice_step(last, 5));
  for (double at = 0; at <= last; at += step) {
    const bool at_end = at > last - step * 0.01;
    svg += text_at(percent(at / last), base + 16,
                   at == 0  ? "tick"
                   : at_end ? "tick end"
                            : "tick middle",
                   fixed_text(at, 0));
  }
  svg += text_at("0", base + 33, "tick", "step");
}

void append_mark(std::string& svg, const CurveChart& chart, double last) {
  if (!chart.mark) return;
  const double share = *chart.mark / last;
  const std::string x = percent(share);
  svg += line_at(x, kHeading - 6, x, kHeading + kHeight, "mark");
  svg += text_at(x, kHeading - 9, share > 0.8 ? "tick end" : share < 0.2 ? "tick" : "tick middle", chart.mark_text);
}

// Columns from the middle before a step to the middle after it.
void append_pointed(std::string& svg, const CurveChart& chart, double last) {
  const auto& all = chart.pointed;
  if (all.size() > kMostPointed) return;
  for (size_t i = 0; i < all.size(); ++i) {
    const double begin = i == 0 ? 0 : (all[i - 1].first + all[i].first) / 2 / last;
    const double end = i + 1 == all.size() ? 1 : (all[i].first + all[i + 1].first) / 2 / last;
    svg += rect_at(percent(begin), kHeading, percent(std::max(end - begin, 0.0)), kHeight, "target", all[i].second);
  }
}

}  // namespace

double nice_step(double span, int parts) {
  if (!(span > 0) || !std::isfinite(span)) return 1;
  const double rough = span / parts;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double fold : {1.0, 2.0, 5.0}) {
    if (fold * power >= rough * (1 - 1e-9)) return fold * power;
  }
  return 10 * power;
}

std::string curve_chart(const CurveChart& chart) {
  const bool empty =
      std::all_of(chart.curves.begin(), chart.curves.end(), [](const Curve& curve) { return curve.points.empty(); });
  if (empty) return {};
  const Scale scale = scale_of(chart);
  const double last = last_step(chart);
  std::string svg = open_svg(chart.title, kHeading + kHeight + kFooter);
  svg += text_at("0", 13, "label strong", chart.heading + (scale.logarithmic ? ", log scale" : ""));
  append_axes(svg, scale, last);
  append_mark(svg, chart, last);
  svg += message("<svg x=\"0\" y=\"", pixels(kHeading), "\" width=\"100%\" height=\"", pixels(kHeight),
                 "\" viewBox=\"0 0 ", kGrid, " ", kGrid, "\" preserveAspectRatio=\"none\" overflow=\"visible\">");
  for (const Curve& curve : chart.curves) svg += line_of(curve, scale, last);
  svg += "</svg>";
  for (const Curve& curve : chart.curves) {
    if (curve.points.size() > 1 && (!curve.dots || curve.points.size() > kMostDots)) continue;
    for (const auto& [step, value] : curve.points) {
      svg += circle_at(percent(step / last), height_of(scale.position(value)), kDotRadius, curve.classes);
    }
  }
  append_pointed(svg, chart, last);
  return svg + "</svg>";
}

}  // namespace lathe::reporting
