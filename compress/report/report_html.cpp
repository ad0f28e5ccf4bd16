#include <algorithm>
#include <numeric>

#include "compress/report/report.h"
#include "compress/report/report_common.h"
#include "compress/report/report_html_parts.h"
#include "compress/report/report_svg.h"
#include "compress/report/report_tables.h"
#include "compress/report/report_training.h"
#include "formats/artifact/error.h"
#include "formats/json.h"

namespace lathe {
namespace {

using namespace reporting;

constexpr const char* kTimes = "\xc3\x97";
constexpr const char* kArrow = " \xe2\x86\x92 ";
constexpr size_t kNotesAtOnce = 8;
constexpr size_t kOpenTables = 2;  // up to this many compressed models the tables of their weights start open

/// "90.9 MB" that stays on one line.
std::string unbroken(std::string text) {
  for (size_t at = text.find(' '); at != text.npos; at = text.find(' ', at)) text.replace(at, 1, "\xc2\xa0");
  return text;
}

struct Card {
  std::string label;
  std::string figure;
  std::string unit;
  std::string detail;
  bool caution = false;
};

std::string section(std::string_view heading, const std::string& body) {
  return body.empty() ? body : message("<section>\n<h2>", html_text(heading), "</h2>\n", body, "</section>\n");
}

std::string card_html(const Card& card) {
  std::string out = message("<dl class=\"card\"><dt>", html_text(card.label), "</dt><dd class=\"figure",
                            card.caution ? " caution" : "", "\"><span>", html_text(card.figure), "</span>");
  if (!card.unit.empty()) out += "<small>" + html_text(card.unit) + "</small>";
  out += "</dd>";
  if (!card.detail.empty()) out += "<dd class=\"detail\">" + html_text(card.detail) + "</dd>";
  return out + "</dl>\n";
}

/// "4.81x smaller", or "1.20x larger" and marked.
Card ratio_card(std::string label, double ratio, const char* better, const char* worse, std::string detail) {
  const bool gained = ratio >= 0.995;
  std::string figure = ratio_text(gained ? ratio : 1 / ratio);
  figure.replace(figure.size() - 1, 1, kTimes);
  return {std::move(label), std::move(figure), gained ? better : worse, std::move(detail), !gained};
}

std::string milliseconds_pair(double from, double to) {
  const int decimals = milliseconds_decimals(std::min(from, to));
  return milliseconds_text(from, decimals) + kArrow + milliseconds_text(to, decimals) + "\xc2\xa0ms";
}

void append_size_card(std::vector<Card>& cards, const Report& report, const ModelReport& model) {
  const uint64_t before = report.models.front().file_bytes;
  if (const std::optional<double> value = size_ratio(report, model)) {
    cards.push_back(ratio_card("Size", *value, "smaller", "larger",
                               unbroken(bytes_text(before)) + kArrow + unbroken(bytes_text(model.file_bytes))));
  }
}

void append_speed_card(std::vector<Card>& cards, const Report& report, const ModelReport& model) {
  double low = 0;
  double high = 0;
  size_t measured = 0;
  for (const SpeedCase& speed : model.speed) {
    const std::optional<double> value = speedup(report, speed);
    if (!value) continue;
    low = measured == 0 ? *value : std::min(low, *value);
    high = std::max(high, *value);
    ++measured;
  }
  const std::vector<SpeedCase> cases = speed_cases(report);
  const SpeedCase* main_case = cases.empty() ? nullptr : find_case(model, cases.front());
  const std::optional<double> value = main_case == nullptr ? std::nullopt : speedup(report, *main_case);
  if (!value) return;
  const double reference = find_case(report.models.front(), *main_case)->p50_ms;
  std::string detail = milliseconds_pair(reference, main_case->p50_ms) + " (p50, " + case_text(*main_case) + ")";
  if (measured > 1) {
    detail +=
        message("; ", fixed_text(low, 2), kTimes, " to ", fixed_text(high, 2), kTimes, " over ", measured, " cases");
  }
  cards.push_back(ratio_card("Speed", *value, "faster", "slower", std::move(detail)));
}

std::string predictions_text(const PredictionResult& predictions) {
  return message("mean KL to the original ", loss_text(predictions.mean_kl), " nats, same token ",
                 percent_text(predictions.same_top, 1));
}

void append_perplexity_card(std::vector<Card>& cards, const Report& report, const ModelReport& model) {
  const PredictionResult& predictions = *model.predictions;
  const TaskMetric* own = model.task ? &model.task->main() : nullptr;
  const TaskMetric* reference = own == nullptr ? nullptr : find_metric(report.models.front(), own->key);
  if (reference == nullptr || !(reference->value > 0)) {
    cards.push_back(
        {"Predictions", percent_text(predictions.same_top, 1), "same token", predictions_text(predictions)});
    return;
  }
  const double increase = own->value / reference->value - 1;
  std::string detail = fixed_text(reference->value, own->decimals) + kArrow + fixed_text(own->value, own->decimals) +
                       "; " + predictions_text(predictions);
  cards.push_back({"Perplexity", signed_text(100 * increase, 2) + " %", "", std::move(detail)});
}

void append_accuracy_card(std::vector<Card>& cards, const Report& report, const ModelReport& model) {
  if (model.predictions) return append_perplexity_card(cards, report, model);
  const std::string cosine = model.fidelity ? "mean cosine to the original " + fixed_text(model.fidelity->mean, 4) : "";
  const TaskMetric* own = model.task ? &model.task->main() : nullptr;
  const std::optional<double> difference = own == nullptr ? std::nullopt : metric_difference(report, model, own->key);
  if (!difference) {
    if (!model.fidelity) return;
    cards.push_back({"Accuracy", fixed_text(model.fidelity->mean, 4), "mean cosine",
                     "to the original, over " + plural(model.fidelity->texts, "text")});
    return;
  }
  const double reference = find_metric(report.models.front(), own->key)->value;
  std::string detail =
      own->name + " " + fixed_text(reference, own->decimals) + kArrow + fixed_text(own->value, own->decimals);
  if (!cosine.empty()) detail += "; " + cosine;
  if (reference > 0) {
    cards.push_back({"Accuracy", percent_text(own->value / reference, 2), "kept", std::move(detail)});
  } else {
    cards.push_back({"Accuracy", signed_text(*difference, own->decimals), own->name, std::move(detail)});
  }
}

void append_memory_card(std::vector<Card>& cards, const Report& report, const ModelReport& model) {
  const uint64_t before = report.models.front().peak_memory_bytes;
  if (const std::optional<double> value = memory_ratio(report, model)) {
    cards.push_back(ratio_card("Memory", *value, "less", "more",
                               unbroken(bytes_text(before)) + kArrow + unbroken(bytes_text(model.peak_memory_bytes))));
  }
}

/// Figures of a model that has nothing to be compared with.
std::vector<Card> absolute_cards(const ModelReport& model) {
  std::vector<Card> cards;
  if (model.file_bytes > 0) cards.push_back({"Size", bytes_text(model.file_bytes), "", ""});
  if (!model.speed.empty() && model.speed.front().p50_ms > 0) {
    const SpeedCase& speed = model.speed.front();
    cards.push_back({"Speed", milliseconds_text(speed.p50_ms, milliseconds_decimals(speed.p50_ms)), "ms",
                     "p50, " + case_text(speed)});
  }
  if (model.task) {
    const TaskMetric& metric = model.task->main();
    cards.push_back({"Accuracy", fixed_text(metric.value, metric.decimals), metric.name,
                     message(model.task->task, ", ", count_text(model.task->items), " ", model.task->unit)});
  }
  if (model.peak_memory_bytes > 0) cards.push_back({"Memory", bytes_text(model.peak_memory_bytes), "", ""});
  return cards;
}

std::string cards_html(const std::vector<Card>& cards, bool compact) {
  if (cards.empty()) return {};
  std::string out = compact ? "<div class=\"cards compact\">\n" : "<div class=\"cards\">\n";
  for (const Card& card : cards) out += card_html(card);
  return out + "</div>\n";
}

std::string headline(const Report& report) {
  if (report.models.empty()) return "<p class=\"muted\">This report holds no model.</p>\n";
  if (report.models.size() == 1) return cards_html(absolute_cards(report.models.front()), false);
  const bool several = report.models.size() > 2;
  std::string out;
  for (size_t i = 1; i < report.models.size(); ++i) {
    const ModelReport& model = report.models[i];
    std::vector<Card> cards;
    append_size_card(cards, report, model);
    append_speed_card(cards, report, model);
    append_accuracy_card(cards, report, model);
    append_memory_card(cards, report, model);
    const std::string body = cards_html(cards, several);
    if (several && !body.empty()) out += "<h3>" + html_text(model.name) + "</h3>\n";
    out += body;
  }
  return out;
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
  const size_t own = labels.size() > kPartColours ? kPartColours - 1 : labels.size();
  std::vector<StackedBar> bars;
  for (const ModelReport& model : report.models) {
    StackedBar bar{model.name, bytes_text(model.file_bytes), {}};
    for (size_t i = 0; i < labels.size(); ++i) {
      const uint64_t bytes = size_of(model, labels[i]);
      const double share = static_cast<double>(bytes) / static_cast<double>(std::max<uint64_t>(model.file_bytes, 1));
      bar.parts.push_back({message(labels[i], ": ", bytes_text(bytes), ", ", percent_text(share)),
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
  out += header(report) + headline(report);
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
