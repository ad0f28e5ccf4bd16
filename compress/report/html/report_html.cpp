#include <algorithm>
#include <numeric>

#include "compress/facts/number_text.h"
#include "compress/report/charts/bar_charts.h"
#include "compress/report/comparisons.h"
#include "compress/report/html/html_cards.h"
#include "compress/report/html/report_html_parts.h"
#include "compress/report/report.h"
#include "compress/report/report_tables.h"
#include "compress/report/report_training.h"
#include "compress/report/visible_text.h"
#include "formats/artifact/error.h"
#include "formats/json.h"

namespace lathe {
namespace {

using namespace reporting;

constexpr const char* kTimes = "\xc3\x97";
constexpr size_t kNotesAtOnce = 8;
constexpr size_t kOpenTables = 2;  // up to this many compressed models the tables of their weights start open

std::string section(std::string_view heading, const std::string& body) {
  return body.empty() ? body : message("<section>\n<h2>", html_text(heading), "</h2>\n", body, "</section>\n");
}

std::string header(const Report& report) {
  const std::string title = report.title.empty() ? "Compression report" : report.title;
  std::string out = "<header>\n<h1>" + html_text(title) + "</h1>\n";
  std::string names;
  for (size_t i = 1; i < report.models.size(); ++i) names += (names.empty() ? "" : ", ") + report.models[i].name;
  if (!names.empty()) out += "<p>" + html_text(names + " compared with " + report.models.front().name) + "</p>\n";
  if (!report.gates.empty()) {
    const bool good = accepted(report);
    out += message("<span class=\"verdict ", good ? "good" : "bad", "\">", good ? "ACCEPT" : "REGRESS", "</span>\n");
  }
  return out + "</header>\n";
}

std::string notes(const Report& report) {
  if (report.notes.empty()) return {};
  const auto list = [&](size_t from, size_t to) {
    std::string out = "<ul>\n";
    for (size_t i = from; i < to; ++i) out += "<li>" + html_text(report.notes[i]) + "</li>\n";
    return out + "</ul>\n";
  };
  const size_t shown = std::min(report.notes.size(), kNotesAtOnce);
  std::string out = list(0, shown);
  if (const size_t rest = report.notes.size() - shown; rest > 0) {
    out += message("<details><summary>", plural(rest, "more note"), "</summary>\n", list(shown, report.notes.size()),
                   "</details>\n");
  }
  return out;
}

std::string speed_section(const Report& report) {
  std::string charts;
  for (const SpeedCase& like : speed_cases(report)) {
    std::vector<Bar> bars;
    for (const ModelReport& model : report.models) {
      const SpeedCase* speed = find_case(model, like);
      if (speed == nullptr || !(speed->p50_ms > 0) || !ratio(1, speed->p50_ms)) continue;
      const std::optional<double> faster = speedup(report, *speed);
      const bool reference = &model == &report.models.front();
      std::string figure = milliseconds_text(speed->p50_ms, milliseconds_decimals(speed->p50_ms)) + " ms";
      if (faster && !reference) figure += "  \xc2\xb7  " + fixed_text(*faster, 2) + kTimes;
      bars.push_back({model.name, figure, speed->p50_ms, reference});
    }
    if (bars.empty()) continue;
    const std::string heading = case_text(like);
    charts += "<div><h3>" + html_text(heading) + "</h3>\n" + bar_chart("p50 latency, " + heading, bars) + "</div>\n";
  }
  std::string table = html_table(speed_table(report));
  if (charts.empty()) return table;
  return "<p class=\"muted\">Median latency of a run; shorter is better, each case has its own scale.</p>\n"
         "<div class=\"charts\">\n" +
         charts + "</div>\n" + table;
}

std::string size_section(const Report& report) {
  std::vector<std::string> labels = size_labels(report);
  const size_t own = labels.size() > kSegmentColours ? kSegmentColours - 1 : labels.size();
  std::vector<StackedBar> bars;
  for (const ModelReport& model : report.models) {
    StackedBar bar{model.name, bytes_text(model.file_bytes), {}};
    for (size_t i = 0; i < labels.size(); ++i) {
      const uint64_t bytes = size_of(model, labels[i]);
      const double share = static_cast<double>(bytes) / static_cast<double>(std::max<uint64_t>(model.file_bytes, 1));
      bar.segments.push_back({message(labels[i], ": ", bytes_text(bytes), ", ", percent_text(share)),
                              static_cast<double>(bytes), std::min(i, own)});
    }
    const std::optional<double> smaller = size_ratio(report, model);
    if (smaller && &model != &report.models.front()) {
      bar.figure += "  \xc2\xb7  " + fixed_text(*smaller, 2) + kTimes;
    }
    if (!model.sizes.empty()) bars.push_back(std::move(bar));
  }
  std::string out;
  if (!bars.empty()) {
    out += stacked_chart("Size of each file by part", bars) + "<p class=\"legend\">";
    for (size_t i = 0; i < own; ++i) {
      out += message("<span><i class=\"c", i, "\"></i>", html_text(labels[i]), "</span>");
    }
    if (own < labels.size()) out += message("<span><i class=\"c", own, "\"></i>everything else</span>");
    out += "</p>\n";
  }
  return out + html_table(file_table(report)) + html_table(size_table(report));
}

std::string weights_section(const Report& report) {
  const auto with_weights = std::count_if(report.models.begin(), report.models.end(),
                                          [](const auto& model) { return !model.weights.empty(); });
  std::string out;
  for (const ModelReport& model : report.models) {
    const std::string body = html_weights(model, static_cast<size_t>(with_weights) <= kOpenTables);
    if (!body.empty()) out += "<h3>" + html_text(model.name) + "</h3>\n" + body;
  }
  return out;
}

std::string json_details(std::string_view heading, const std::string& text) {
  if (text.empty()) return {};
  std::string pretty = text;
  try {
    pretty = to_text(parse_json(text, heading), 2);
  } catch (const Error&) {
    // Shown as it is.
  }
  return message("<details><summary>", heading, "</summary>\n<pre>", html_text(pretty), "</pre></details>\n");
}

}  // namespace

std::string report_html(const Report& report) {
  const std::string title = report.title.empty() ? "Compression report" : report.title;
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>";
  out += html_text(title) + "</title>\n<style>" + std::string(kPageStyle) + "</style>\n</head>\n<body>\n<main>\n";
  out += header(report) + html_cards(report);
  out += section("Bounds", html_table(gate_table(report)));
  out += section("Notes", notes(report));
  out += section("Accuracy", html_table(accuracy_table(report)));
  out += section("Speed", speed_section(report));
  out += section("Size and memory", size_section(report));
  out += section("Training", training_html(report));
  out += section("Weights", weights_section(report));
  out += section("Machine and calibration", html_table(machine_table(report)));
  out += section("How to repeat it",
                 json_details("Recipe", report.recipe_json) + json_details("Provenance", report.provenance_json));
  return out + "</main>\n</body>\n</html>\n";
}

}  // namespace lathe
