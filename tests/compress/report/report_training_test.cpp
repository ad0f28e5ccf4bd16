#include "compress/report/report_training.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "compress/report/charts/report_curves.h"
#include "compress/report/report.h"
#include "formats/json.h"

namespace lathe::reporting {
namespace {

using Catch::Matchers::Contains;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TrainingCurve distillation() {
  TrainingCurve curve;
  curve.stage = "distillation";
  curve.measure_name = "cosine";
  curve.points = {{0, kNan, 0.12, 0.93}, {20, 0.08, 0.07, 0.96}, {40, 0.05, 0.06, 0.975}, {60, 0.04, 0.065, 0.974}};
  curve.steps = 60;
  curve.tokens = 245'760;
  curve.seconds = 65;
  curve.best_step = 40;
  curve.outcome = "all steps done; step 40 was kept";
  return curve;
}

TrainingCurve block(size_t number, double before, double after) {
  TrainingCurve curve;
  curve.stage = "block reconstruction of encoder.layer." + std::to_string(number);
  curve.measure_name = "relative error";
  curve.points = {{0, kNan, 5, before}, {30, 1, 4, after}};
  curve.steps = 30;
  curve.seconds = 2;
  curve.best_step = 30;
  return curve;
}

Report trained() {
  Report report;
  report.models.resize(2);
  report.models[0].name = "original";
  report.models[1].name = "small";
  report.training_data = "4,012 texts of wiki.txt to train (401,233 tokens), 211 held out";
  report.training = {block(0, 0.02, 0.01), block(1, 0.03, 0.03), block(2, 0.08, 0.02), distillation()};
  return report;
}

size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

/// The numbers of the one polyline of a class, x and y in turns.
std::vector<double> line_of(const std::string& svg, const std::string& classes) {
  const std::string start = "<polyline class=\"curve " + classes + "\" points=\"";
  const size_t begin = svg.find(start);
  REQUIRE(begin != svg.npos);
  std::string text = svg.substr(begin + start.size(), svg.find('"', begin + start.size()) - begin - start.size());
  std::vector<double> numbers;
  for (char& c : text) c = c == ',' ? ' ' : c;
  for (size_t at = 0; at < text.size();) {
    size_t used = 0;
    numbers.push_back(std::stod(text.substr(at), &used));
    at += used + 1;
  }
  return numbers;
}

}  // namespace

TEST_CASE("a report without training says nothing of it", "[compress][report_training]") {
  Report report = trained();
  report.training.clear();
  report.training_data.clear();
  CHECK_THAT(report_html(report), !Contains("Training"));
  CHECK_THAT(report_markdown(report), !Contains("Training"));
  CHECK_THAT(report_text(report), !Contains("training"));
  CHECK(parse_json(report_json(report), "report").at("training").is_null());
}

TEST_CASE("each stage is a sentence, and all blocks are one", "[compress][report_training]") {
  const std::vector<std::string> sentences = training_sentences(trained());
  REQUIRE(sentences.size() == 3);
  CHECK(sentences[0] == "training texts: 4,012 texts of wiki.txt to train (401,233 tokens), 211 held out.");
  CHECK(sentences[1] ==
        "block reconstruction: 3 blocks, 90 steps in 6.0 s; error lower in 2 of them, by 2.00x in the median.");
  CHECK(sentences[2] ==
        "distillation: 60 steps over 245,760 tokens in 1 min 05 s; held-out loss 0.12000 to 0.06000, cosine 0.9300 to "
        "0.9750; all steps done; step 40 was kept.");
  CHECK_THAT(report_text(trained()), Contains("\ndistillation: 60 steps") && Contains("\nblock reconstruction: "));
}

TEST_CASE("tables hold the figures of the weights that were kept", "[compress][report_training]") {
  const Table stages = training_table(trained());
  REQUIRE(stages.rows.size() == 1);
  const std::vector<std::string> expected = {"distillation", "60",     "245,760", "1 min 05 s", "0.12000",
                                             "0.06000",      "cosine", "0.9300",  "0.9750",     "40"};
  REQUIRE(stages.rows[0].cells.size() == expected.size());
  for (size_t i = 0; i < expected.size(); ++i) CHECK(stages.rows[0].cells[i].text == expected[i]);
  const Table blocks = block_table(trained());
  REQUIRE(blocks.rows.size() == 3);
  CHECK(blocks.rows[2].cells[0].text == "encoder.layer.2");
  CHECK(blocks.rows[2].cells[1].text == "0.08000");
  CHECK(blocks.rows[2].cells[2].text == "0.02000");
  CHECK(blocks.rows[2].cells[3].text == "4.00x");
  const std::string markdown = report_markdown(trained());
  CHECK_THAT(markdown, Contains("## Training") && Contains("| encoder.layer.2 | 0.08000 | 0.02000 | 4.00x |"));
}

TEST_CASE("a block without a measure is judged by its loss", "[compress][report_training]") {
  Report report = trained();
  report.training[0].measure_name.clear();
  CHECK(block_table(report).rows[0].cells[1].text == "5.00000");
  CHECK(block_table(report).rows[0].cells[2].text == "4.00000");
}

TEST_CASE("JSON holds every point, and null for what was not measured", "[compress][report_training]") {
  const Json json = parse_json(report_json(trained()), "report").at("training");
  CHECK_THAT(json.at("data").as_string(), Contains("wiki.txt"));
  REQUIRE(json.at("stages").items().size() == 4);
  const Json& last = json.at("stages").items()[3];
  CHECK(last.at("best_step").as_u64() == 40);
  REQUIRE(last.at("points").items().size() == 4);
  CHECK(last.at("points").items()[0].at("train_loss").is_null());
  CHECK(last.at("points").items()[2].at("train_loss").as_f64() == 0.05);
  CHECK(last.at("points").items()[2].at("held_out_loss").as_f64() == 0.06);
  CHECK(last.at("points").items()[2].at("measure").as_f64() == 0.975);
}

TEST_CASE("the page has two curves and a measure for a stage, and a table for the blocks",
          "[compress][report_training]") {
  const std::string html = report_html(trained());
  CHECK(count_of(html, "<polyline") == 3);
  CHECK(count_of(html, "kept: step 40") == 2);  // in both charts
  CHECK(count_of(html, "<h3>Block reconstruction</h3>") == 1);
  CHECK_THAT(html, Contains("step 20\ntraining loss 0.08000\nheld-out loss 0.07000\ncosine 0.9600"));
}

TEST_CASE("curves are where their figures are", "[compress][report_training]") {
  CurveChart chart;
  chart.curves = {{"held", {{0, 3}, {50, 2}, {100, 1}}, true}};
  chart.steps = 200;
  const std::vector<double> line = line_of(curve_chart(chart), "held");
  REQUIRE(line.size() == 6);
  CHECK(line[0] == 0);
  CHECK(line[2] == 250);
  CHECK(line[4] == 500);
  CHECK(line[3] - line[1] == Approx(line[5] - line[3]).margin(0.02));  // linear
  CHECK(line[1] < line[5]);                                            // larger is higher up
  CHECK_THAT(curve_chart(chart), !Contains("log scale"));
}

TEST_CASE("losses far apart stand on a log scale", "[compress][report_training]") {
  CurveChart chart;
  chart.curves = {{"held", {{0, 10}, {1, 0.1}, {2, 0.001}}, false}};
  const std::string svg = curve_chart(chart);
  CHECK_THAT(svg, Contains("log scale") && Contains(">0.001<") && Contains(">10<"));
  const std::vector<double> line = line_of(svg, "held");
  CHECK(line[1] == Approx(0).margin(0.01));
  CHECK(line[3] == Approx(500).margin(0.01));
  CHECK(line[5] == Approx(1000).margin(0.01));
  chart.curves[0].points[2].second = 0;  // has no logarithm
  CHECK_THAT(curve_chart(chart), !Contains("log scale"));
}

TEST_CASE("charts are drawn whatever the figures are", "[compress][report_training]") {
  Report report = trained();
  const double infinity = std::numeric_limits<double>::infinity();
  for (CurvePoint& point : report.training[3].points) {
    point.held_out_loss = infinity;
    point.train_loss = kNan;
  }
  report.training[3].measure_name = "<b>\"&";
  report.training[3].stage = "<script>";
  report.training[3].seconds = kNan;
  report.training[0].points.clear();
  report.training[1].points.resize(1);
  TrainingCurve long_one = distillation();
  long_one.points.clear();
  for (uint64_t i = 0; i < 2000; ++i) long_one.points.push_back({i, 1e-30, 1e30, 1});
  report.training.push_back(long_one);
  TrainingCurve level = distillation();
  for (CurvePoint& point : level.points) point.train_loss = point.held_out_loss = point.measure = 0;
  report.training.push_back(level);
  const std::string html = report_html(report);
  const std::string section = html.substr(html.find("<h2>Training"));
  for (const char* bad : {"nan", "inf\"", "<script>", "<b>", "=\"-%"}) CHECK_THAT(section, !Contains(bad));
  CHECK(html.size() < 1'000'000);
  CHECK_NOTHROW(report_text(report));
  CHECK_NOTHROW(report_markdown(report));
  CHECK_NOTHROW(parse_json(report_json(report), "report"));
  CHECK(curve_chart(CurveChart()).empty());
}

TEST_CASE("the steps of an axis are round", "[compress][report_training]") {
  CHECK(nice_step(10, 5) == Approx(2));
  CHECK(nice_step(300, 5) == Approx(100));
  CHECK(nice_step(0.11, 7) == Approx(0.02));
  CHECK(nice_step(9, 1) == Approx(10));
  CHECK(nice_step(0, 5) == 1);
  CHECK(nice_step(kNan, 5) == 1);
}

}  // namespace lathe::reporting
