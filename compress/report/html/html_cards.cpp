#include "compress/report/html/html_cards.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "compress/facts/number_text.h"
#include "compress/report/comparisons.h"
#include "compress/report/visible_text.h"
#include "formats/artifact/error.h"

namespace lathe::reporting {
namespace {

constexpr const char* kTimes = "\xc3\x97";
constexpr const char* kArrow = " \xe2\x86\x92 ";

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
  const EvalMetric* own = model.task ? &model.task->main() : nullptr;
  const EvalMetric* reference = own == nullptr ? nullptr : find_metric(report.models.front(), own->key);
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
  const EvalMetric* own = model.task ? &model.task->main() : nullptr;
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
    const EvalMetric& metric = model.task->main();
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

}  // namespace

std::string html_cards(const Report& report) {
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

}  // namespace lathe::reporting
