#include <cmath>
#include <utility>

#include "compress/facts/number_text.h"
#include "compress/report/charts/report_curves.h"
#include "compress/report/html/report_html_parts.h"
#include "compress/report/report_training.h"
#include "compress/report/visible_text.h"
#include "formats/artifact/error.h"

namespace lathe::reporting {
namespace {

constexpr const char* kArrow = " \xe2\x86\x92 ";

std::string measure_text(double value) { return fixed_text(value, 4); }

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

std::string training_html(const Report& report) {
  std::string out;
  if (!report.training_data.empty()) out += "<p>" + html_text(with_stop(report.training_data)) + "</p>\n";
  bool blocks_told = false;
  for (const TrainingCurve& curve : report.training) {
    if (!is_block(curve)) {
      out += stage_html(curve);
    } else if (!blocks_told) {
      std::string sentence = blocks_sentence(report);
      sentence.erase(0, sentence.find(": ") + 2);
      out +=
          message("<h3>Block reconstruction</h3>\n<p>", html_text(sentence), "</p>\n", html_table(block_table(report)));
      blocks_told = true;
    }
  }
  return out;
}

}  // namespace lathe::reporting
