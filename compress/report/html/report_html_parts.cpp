#include "compress/report/html/report_html_parts.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include "compress/facts/number_text.h"
#include "compress/report/charts/layer_chart.h"
#include "compress/report/comparisons.h"
#include "compress/report/visible_text.h"
#include "formats/artifact/error.h"

namespace lathe::reporting {
namespace {

/// A name that may break after its dots, slashes and underscores.
std::string breakable(std::string_view name) {
  std::string out;
  size_t start = 0;
  while (start < name.size()) {
    const size_t end = std::min(name.find_first_of("./_-", start), name.size() - 1) + 1;
    out += html_text(name.substr(start, end - start));
    if (end < name.size()) out += "<wbr>";
    start = end;
  }
  return out;
}

/// "-0.0009" with a minus sign, "4.81x" with a multiplication sign.
std::string typeset(const std::string& text) {
  std::string out = text;
  const auto digit = [&](size_t at) { return at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])); };
  if (text.size() > 1 && text.back() == 'x' && digit(text.size() - 2)) out.replace(out.size() - 1, 1, "\xc3\x97");
  if (text.size() > 1 && text.front() == '-' && digit(1)) out.replace(0, 1, "\xe2\x88\x92");
  return text == kMissing ? "\xe2\x80\x93" : out;
}

/// Of each Mark.
constexpr std::array<const char*, 6> kMarkClasses = {"", "of-reference", "good", "bad", "caution", "total"};
/// Of each Layout.
constexpr std::array<const char*, 3> kLayoutClasses = {"", "short", "facts"};
constexpr size_t kWideTable = 9;  // columns

std::string cell_html(const Column& column, const Cell& cell) {
  std::string classes = kMarkClasses[static_cast<size_t>(cell.mark)];
  if (column.kind == Kind::number) classes += classes.empty() ? "number" : " number";
  if (cell.text == kMissing) classes += " missing";
  const std::string attribute = classes.empty() ? "" : " class=\"" + classes + "\"";
  if (column.kind == Kind::name) return "<th scope=\"row\"" + attribute + ">" + breakable(cell.text) + "</th>";
  return "<td" + attribute + ">" + html_text(typeset(cell.text)) + "</td>";
}

std::string heading_html(const Column& column) {
  std::string out = "<th scope=\"col\"";
  if (column.kind == Kind::number) out += " class=\"number\"";
  if (!column.meaning.empty()) out += " title=\"" + html_text(column.meaning) + "\"";
  return out + ">" + html_text(column.heading) + "</th>";
}

std::vector<LayerPoint> layer_points(const ModelReport& model) {
  std::vector<LayerPoint> points;
  size_t number = 0;
  const auto known = [](std::optional<double> value) {
    return value && std::isfinite(*value) ? value : std::optional<double>();
  };
  for (const WeightFacts& weight : model.weights) {
    ++number;
    if (weight.role == "other") continue;
    LayerPoint point{weight.name,
                     message(number, "  ", weight.name, "\n", weight.encoding),
                     known(weight.loss_uncorrected),
                     known(weight.loss),
                     known(weight.sparsity),
                     known(weight.bits_per_weight)};
    if (point.before) point.title += "\nloss before " + loss_text(*point.before);
    if (point.after) point.title += "\nloss after " + loss_text(*point.after);
    if (point.sparsity) point.title += "\nsparsity " + percent_text(*point.sparsity);
    if (point.bits) point.title += "\n" + fixed_text(*point.bits, 2) + " bits/weight";
    points.push_back(std::move(point));
  }
  return points;
}

/// Of values that both sides have; nullopt when there are none.
std::optional<double> median(std::vector<double> values) {
  if (values.empty()) return std::nullopt;
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// One sentence that sums up the chart.
std::string loss_summary(const std::vector<LayerPoint>& points) {
  std::vector<double> before;
  std::vector<double> after;
  size_t worse = 0;
  for (const LayerPoint& point : points) {
    if (!point.before || !point.after) continue;
    before.push_back(*point.before);
    after.push_back(*point.after);
    worse += *point.after > *point.before ? 1 : 0;
  }
  const std::optional<double> first = median(before);
  const std::optional<double> second = median(after);
  if (!first || !second) return {};
  std::string text = message("Median over ", plural(before.size(), "layer"), ": ", loss_text(*first),
                             " with magnitude pruning and rounding to nearest, ", loss_text(*second), " as written");
  if (const std::optional<double> lower = ratio(*first, *second)) text += ", " + typeset(ratio_text(*lower)) + " lower";
  text += ".";
  if (worse > 0) text += message(" Higher than before in ", plural(worse, "layer"), ".");
  return text;
}

std::string legend() {
  return "<p class=\"legend\"><span><i class=\"dot before\"></i>uncorrected: magnitude pruning, rounding to "
         "nearest</span><span><i class=\"dot after\"></i>as written</span><span class=\"muted\">log scale, lower is "
         "better</span></p>";
}

}  // namespace

std::string html_table(const Table& table) {
  if (table.empty()) return {};
  const bool wide = table.columns.size() >= kWideTable && table.layout == Layout::full;
  const std::string_view layout = wide ? "wide" : kLayoutClasses[static_cast<size_t>(table.layout)];
  std::string out = message("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"",
                            html_text(table.caption), "\"><table class=\"", layout, "\"><thead><tr>");
  for (const Column& column : table.columns) out += heading_html(column);
  out += "</tr></thead><tbody>\n";
  for (const Row& row : table.rows) {
    out += row.notes.empty() ? "<tr>" : "<tr class=\"noted\">";
    for (size_t i = 0; i < row.cells.size(); ++i) out += cell_html(table.columns[i], row.cells[i]);
    out += "</tr>\n";
    for (const std::string& note : row.notes) {
      out += message("<tr class=\"note\"><td></td><td colspan=\"", row.cells.size() - 1, "\">", html_text(note),
                     "</td></tr>\n");
    }
  }
  return out + "</tbody></table></div>\n";
}

std::string html_weights(const ModelReport& model, bool open) {
  if (model.weights.empty()) return {};
  const std::vector<LayerPoint> points = layer_points(model);
  const std::string chart = layer_chart("Loss, sparsity and bits per weight of every layer of " + model.name, points);
  const std::string summary = loss_summary(points);
  const size_t noted = static_cast<size_t>(std::count_if(model.weights.begin(), model.weights.end(),
                                                         [](const auto& weight) { return !weight.fallbacks.empty(); }));
  std::string out;
  if (!summary.empty()) out += "<p>" + html_text(summary) + "</p>\n" + legend();
  if (!chart.empty()) {
    // Below about five pixels a layer the dots would run into each other: then the chart scrolls.
    out += message(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Chart of the layers\"><div "
        "class=\"plot\" style=\"min-width:",
        points.size() * 5 + 60, "px\">", chart, "</div></div>\n");
  }
  out += message("<details", open ? " open" : "", "><summary>", plural(model.weights.size(), "weight"));
  if (noted > 0) out += message(", <span class=\"caution\">", plural(noted, "weight"), " with fallbacks</span>");
  return out + "</summary>\n" + html_table(layer_table(model)) + "</details>\n";
}

}  // namespace lathe::reporting
