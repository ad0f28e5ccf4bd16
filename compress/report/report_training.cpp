#include "compress/report/report_training.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <optional>
#include <string_view>

#include "compress/facts/number_text.h"
#include "compress/report/comparisons.h"
#include "formats/artifact/error.h"

namespace lathe::reporting {
namespace {

constexpr std::string_view kBlock = "block reconstruction of ";

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
      out.push_back(blocks_sentence(report));
      blocks_told = true;
    }
  }
  return out;
}

}  // namespace

bool is_block(const TrainingCurve& curve) { return curve.stage.starts_with(kBlock); }

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

std::string blocks_sentence(const Report& report) {
  const std::vector<const TrainingCurve*> blocks = blocks_of(report);
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

}  // namespace lathe::reporting
