#include "compress/report/report_training.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <optional>
#include <string_view>

#include "compress/facts/number_text.h"
#include "compress/report/comparisons.h"
#include "compress/report/report_curves.h"
#include "compress/report/report_html_parts.h"
#include "compress/report/visible_text.h"
#include "formats/artifact/error.h"

namespace lathe::reporting {
namespace {

constexpr std::string_view kBlock = "block reconstruction of ";
constexpr const char* kArrow = " \xe2\x86\x92 ";

/// A figure before the first step, and with the weights that were kept.
struct Change {
  std::optional<double> before;
  std::optional<double> after;
};

const CurvePoint* kept_point(const TrainingCurve& curve) {
  const auto at = std::find_if(curve.points.begin(), curve.points.end(),
                               [&](const CurvePoint& point) { return point.step == curve.best_step; });
  if (at != curve.points.end()) return &*at;
  return curve.points.empty() ? nullptr : &curve.points.back();
}

std::optional<double> finite(double value) { return std::isfinite(value) ? std::optional(value) : std::nullopt; }

Change change_of(const TrainingCurve& curve, double CurvePoint::*figure) {
  const CurvePoint* kept = kept_point(curve);
  if (kept == nullptr) return {};
  return {finite(curve.points.front().*figure), finite(kept->*figure)};
}

/// What a block is judged by: its measure where it has one, otherwise the loss on the held-out part.
Change block_change(const TrainingCurve& curve) {
  const Change measure = change_of(curve, &CurvePoint::measure);
  return !curve.measure_name.empty() && measure.before && measure.after ? measure
                                                                        : change_of(curve, &CurvePoint::held_out_loss);
}

std::string measure_text(double value) { return fixed_text(value, 4); }

std::string cell_text(const std::optional<double>& value, std::string (*text)(double)) {
  return value ? text(*value) : kMissing;
}

/// "held-out loss 0.08120 to 0.04310, cosine 0.9312 to 0.9512"
std::string changes_text(const TrainingCurve& curve, const char* arrow) {
  std::string text;
  const Change loss = change_of(curve, &CurvePoint::held_out_loss);
  if (loss.before && loss.after) {
    text = message("held-out loss ", loss_text(*loss.before), arrow, loss_text(*loss.after));
  }
  const Change measure = change_of(curve, &CurvePoint::measure);
  if (!curve.measure_name.empty() && measure.before && measure.after) {
    text += message(text.empty() ? "" : ", ", curve.measure_name, " ", measure_text(*measure.before), arrow,
                    measure_text(*measure.after));
  }
  return text;
}

std::string with_stop(std::string sentence) {
  if (!sentence.empty() && sentence.back() != '.') sentence += '.';
  return sentence;
}

std::string stage_sentence(const TrainingCurve& curve, const char* arrow) {
  std::string text = message(curve.stage, ": ", plural(curve.steps, "step"));
  if (curve.tokens > 0) text += " over " + count_text(curve.tokens) + " tokens";
  text += " in " + duration_text(curve.seconds);
  const std::string changes = changes_text(curve, arrow);
  if (!changes.empty()) text += "; " + changes;
  if (!curve.outcome.empty()) text += "; " + curve.outcome;
  return with_stop(std::move(text));
}

/// One sentence on all blocks together.
std::string blocks_sentence(const std::vector<const TrainingCurve*>& blocks) {
  uint64_t steps = 0;
  double seconds = 0;
  size_t better = 0;
  std::vector<double> lower;
  for (const TrainingCurve* block : blocks) {
    steps += block->steps;
    seconds += block->seconds;
    const Change change = block_change(*block);
    if (!change.before || !change.after) continue;
    better += *change.after < *change.before ? 1 : 0;
    if (const std::optional<double> gain = ratio(*change.before, *change.after)) lower.push_back(*gain);
  }
  std::string text = message("block reconstruction: ", plural(blocks.size(), "block"), ", ", plural(steps, "step"),
                             " in ", duration_text(seconds), "; error lower in ", count_text(better), " of them");
  if (!lower.empty()) {
    std::nth_element(lower.begin(), lower.begin() + static_cast<std::ptrdiff_t>(lower.size() / 2), lower.end());
    text += ", by " + ratio_text(lower[lower.size() / 2]) + " in the median";
  }
  return text + ".";
}

std::vector<const TrainingCurve*> blocks_of(const Report& report) {
  std::vector<const TrainingCurve*> blocks;
  for (const TrainingCurve& curve : report.training) {
    if (is_block(curve)) blocks.push_back(&curve);
  }
  return blocks;
}

std::vector<std::string> sentences(const Report& report, const char* arrow) {
  std::vector<std::string> out;
  if (!report.training_data.empty()) out.push_back("training texts: " + with_stop(report.training_data));
  bool blocks_told = false;
  for (const TrainingCurve& curve : report.training) {
    if (!is_block(curve)) {
      out.push_back(stage_sentence(curve, arrow));
    } else if (!blocks_told) {
      out.push_back(blocks_sentence(blocks_of(report)));
      blocks_told = true;
    }
  }
  return out;
}

Curve curve_of(const TrainingCurve& curve, double CurvePoint::*figure, const char* classes, bool dots) {
  Curve out{classes, {}, dots};
  for (const CurvePoint& point : curve.points) {
    if (std::isfinite(point.*figure)) out.points.emplace_back(static_cast<double>(point.step), point.*figure);
  }
  return out;
}

std::vector<std::pair<double, std::string>> pointed_at(const TrainingCurve& curve) {
  std::vector<std::pair<double, std::string>> out;
  for (const CurvePoint& point : curve.points) {
    std::string text = "step " + count_text(point.step);
    if (std::isfinite(point.train_loss)) text += "\ntraining loss " + loss_text(point.train_loss);
    if (std::isfinite(point.held_out_loss)) text += "\nheld-out loss " + loss_text(point.held_out_loss);
    if (!curve.measure_name.empty() && std::isfinite(point.measure)) {
      text += "\n" + curve.measure_name + " " + measure_text(point.measure);
    }
    out.emplace_back(static_cast<double>(point.step), std::move(text));
  }
  return out;
}

CurveChart chart_of(const TrainingCurve& curve, std::string heading, std::vector<Curve> curves) {
  CurveChart chart;
  chart.title = heading + " over the steps of " + curve.stage;
  chart.heading = std::move(heading);
  chart.curves = std::move(curves);
  chart.steps = static_cast<double>(curve.steps);
  if (curve.points.size() > 1) {
    chart.mark = static_cast<double>(curve.best_step);
    chart.mark_text = "kept: step " + count_text(curve.best_step);
  }
  chart.pointed = pointed_at(curve);
  return chart;
}

std::string plotted(const std::string& chart) {
  return chart.empty() ? chart : "<div class=\"plot\">" + chart + "</div>\n";
}

std::string capitalized(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

std::string stage_html(const TrainingCurve& curve) {
  std::string sentence = stage_sentence(curve, kArrow);
  sentence.erase(0, curve.stage.size() + 2);  // the heading says it
  std::string out = message("<h3>", html_text(capitalized(curve.stage)), "</h3>\n<p>", html_text(sentence), "</p>\n");
  if (curve.points.size() < 2) return out;  // nothing to draw a line between
  std::string charts = plotted(curve_chart(chart_of(curve, "Loss",
                                                    {curve_of(curve, &CurvePoint::train_loss, "train", false),
                                                     curve_of(curve, &CurvePoint::held_out_loss, "held", true)})));
  if (!curve.measure_name.empty()) {
    charts += plotted(curve_chart(chart_of(curve, capitalized(curve.measure_name) + " on the held-out part",
                                           {curve_of(curve, &CurvePoint::measure, "measure", true)})));
  }
  if (charts.empty()) return out;
  return out +
         "<p class=\"legend\"><span><i class=\"line train\"></i>loss in training</span><span><i class=\"line "
         "held\"></i>"
         "loss on the held-out part</span><span><i class=\"line kept\"></i>the weights that were kept</span></p>\n"
         "<div class=\"charts\">\n" +
         charts + "</div>\n";
}

}  // namespace

bool is_block(const TrainingCurve& curve) { return curve.stage.starts_with(kBlock); }

Table training_table(const Report& report) {
  Table table{"Training",
              {{"Stage", Kind::name},
               {"Steps"},
               {"Tokens"},
               {"Time"},
               {"Held-out loss before", Kind::number, "Loss before the first step on texts that are not trained on."},
               {"After", Kind::number, "Loss on the same texts with the weights that were kept."},
               {"Measure", Kind::text},
               {"Before"},
               {"After"},
               {"Kept step", Kind::number, "The step whose weights were kept."}},
              {}};
  for (const TrainingCurve& curve : report.training) {
    if (is_block(curve)) continue;
    const Change loss = change_of(curve, &CurvePoint::held_out_loss);
    const Change measure = curve.measure_name.empty() ? Change{} : change_of(curve, &CurvePoint::measure);
    table.rows.push_back({{{curve.stage},
                           {count_text(curve.steps)},
                           {curve.tokens == 0 ? kMissing : count_text(curve.tokens)},
                           {duration_text(curve.seconds)},
                           {cell_text(loss.before, loss_text)},
                           {cell_text(loss.after, loss_text)},
                           {curve.measure_name.empty() ? kMissing : curve.measure_name},
                           {cell_text(measure.before, measure_text)},
                           {cell_text(measure.after, measure_text)},
                           {count_text(curve.best_step)}},
                          {}});
  }
  return table;
}

Table block_table(const Report& report) {
  Table table{"Blocks",
              {{"Block", Kind::name},
               {"Error before", Kind::number,
                "Error of the block's output against the original's, on samples that are not tuned on."},
               {"Error after", Kind::number, "Error on the same samples with the weights that were kept."},
               {"Lower", Kind::number, "Error before divided by error after."},
               {"Steps"},
               {"Time"}},
              {}};
  for (const TrainingCurve* block : blocks_of(report)) {
    const Change change = block_change(*block);
    const std::optional<double> lower = ratio(change.before.value_or(0), change.after.value_or(0));
    table.rows.push_back({{{block->stage.substr(kBlock.size())},
                           {cell_text(change.before, loss_text)},
                           {cell_text(change.after, loss_text)},
                           {lower ? ratio_text(*lower) : kMissing},
                           {count_text(block->steps)},
                           {duration_text(block->seconds)}},
                          {}});
  }
  return table;
}

std::vector<std::string> training_sentences(const Report& report) { return sentences(report, " to "); }

std::string training_html(const Report& report) {
  std::string out;
  if (!report.training_data.empty()) out += "<p>" + html_text(with_stop(report.training_data)) + "</p>\n";
  bool blocks_told = false;
  for (const TrainingCurve& curve : report.training) {
    if (!is_block(curve)) {
      out += stage_html(curve);
    } else if (!blocks_told) {
      std::string sentence = blocks_sentence(blocks_of(report));
      sentence.erase(0, sentence.find(": ") + 2);
      out +=
          message("<h3>Block reconstruction</h3>\n<p>", html_text(sentence), "</p>\n", html_table(block_table(report)));
      blocks_told = true;
    }
  }
  return out;
}

}  // namespace lathe::reporting
