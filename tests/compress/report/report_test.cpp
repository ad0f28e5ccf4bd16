#include "compress/report/report.h"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cctype>
#include <limits>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "compress/facts/facts_json.h"
#include "compress/facts/number_text.h"
#include "compress/report/charts/bar_charts.h"
#include "compress/report/comparisons.h"
#include "compress/report/visible_text.h"
#include "formats/json.h"

namespace lathe {
namespace {

using Catch::Matchers::Contains;

WeightFacts layer(size_t number) {
  WeightFacts weight;
  weight.name = "encoder.layer." + std::to_string(number) + ".attention.self.query.weight";
  weight.shape = {384, 384};
  weight.role = "linear";
  weight.encoding = "int8+bitmask";
  weight.bytes = 93'696 + number;
  weight.sparsity = 0.5;
  weight.bits_per_weight = 5.083;
  weight.loss_uncorrected = 0.08;
  weight.loss = 0.02;
  weight.method = "error_feedback";
  return weight;
}

ModelReport original_model() {
  ModelReport model;
  model.name = "original";
  model.path = "model.safetensors";
  model.file_bytes = 90'868'376;
  model.parameters = 22'713'216;
  model.sizes = {{"linear values", 42'467'328}, {"embeddings", 47'676'000}};
  model.task =
      EvalResult{"sts", "sts.tsv", 1379, "pairs", {{"pearson", "Pearson", 0.8203}, {"spearman", "Spearman", 0.8201}}};
  model.speed = {{1, 128, 1, 240, 14.0, 14.6, 15.9, 9142.5}, {32, 128, 2, 20, 231.0, 236.0, 240.0, 17700}};
  model.load_ms = 48.5;
  model.peak_memory_bytes = 141'000'000;
  model.isa = "avx2";
  return model;
}

ModelReport small_model(const std::string& name, size_t layers) {
  ModelReport model = original_model();
  model.name = name;
  model.file_bytes = 18'904'512;
  model.sizes = {{"linear values", 5'308'416}, {"masks", 1'327'104}, {"embeddings", 11'913'000}};
  model.task->metrics[0].value = 0.8194;
  model.fidelity = FidelityResult{2552, 0.9951, 0.9711, 0.9874, {}};
  for (SpeedCase& speed : model.speed) speed.p50_ms /= 4;
  for (size_t i = 0; i < layers; ++i) model.weights.push_back(layer(i));
  return model;
}

Report sample(size_t layers = 6) {
  Report report;
  report.title = "MiniLM at 50 % and int8";
  report.models = {original_model(), small_model("small", layers)};
  report.gates = {{"max-drop", 0.01, 0.0009, true, "Pearson"}, {"min-speedup", 5, 4, false, "x"}};
  report.notes = {"One layer fell back."};
  report.calibration = "1024 lines of text.txt (96,210 tokens)";
  report.recipe_json = R"({"prune":0.5,"quant":"int8"})";
  report.provenance_json = R"({"source":"model.safetensors"})";
  report.compress_seconds = 41.5;
  report.machine = {"A processor", 8, "avx2", "Linux 6.1", "0.1.0", "GCC 12"};
  return report;
}

/// Whatever a run may leave out or fail to measure.
std::vector<Report> partial_reports() {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  std::vector<Report> reports(7);
  reports[1].models.resize(1);
  reports[2] = sample();
  reports[2].models.resize(1);
  reports[3] = sample();
  for (ModelReport& model : reports[3].models) model.task.reset(), model.fidelity.reset();
  reports[4] = sample();
  for (ModelReport& model : reports[4].models) model.speed.clear(), model.sizes.clear();
  reports[5] = sample();
  reports[5].models[1].task->metrics[0].value = nan;
  reports[5].models[1].fidelity->mean = nan;
  reports[5].models[1].speed[0] = {1, 128, 1, 0, nan, nan, nan, nan};
  reports[5].models[1].weights[0].loss = std::numeric_limits<double>::infinity();
  reports[5].models[1].weights[1].loss = 0;
  reports[5].models[1].weights[2].sparsity = nan;
  reports[5].models[1].weights[3].loss.reset();
  reports[5].gates[0].actual = nan;
  reports[5].recipe_json = "{ not JSON";
  reports[6] = sample();
  for (int i = 0; i < 4; ++i) reports[6].models.push_back(small_model(std::string(300, 'n') + std::to_string(i), 2));
  return reports;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

size_t count_of(std::string_view text, std::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

/// Whether `word` stands between things that are not letters.
bool has_word(const std::string& text, const std::string& word) {
  const auto letter = [&](size_t at) { return at < text.size() && std::isalpha(static_cast<unsigned char>(text[at])); };
  for (size_t at = text.find(word); at != text.npos; at = text.find(word, at + 1)) {
    if (!(at > 0 && letter(at - 1)) && !letter(at + word.size())) return true;
  }
  return false;
}

bool is_void(std::string_view tag) {
  constexpr std::array<std::string_view, 2> kVoid = {"meta", "wbr"};
  return std::find(kVoid.begin(), kVoid.end(), tag) != kVoid.end();
}

/// The first tag that closes something else than what is open; empty when every tag has its partner.
std::string unbalanced_tag(std::string_view html) {
  std::vector<std::string> open;
  for (size_t at = html.find('<'); at != html.npos; at = html.find('<', at + 1)) {
    const size_t end = html.find('>', at);
    if (end == html.npos) return "a tag without an end";
    const std::string_view inside = html.substr(at + 1, end - at - 1);
    if (inside.starts_with("!DOCTYPE") || inside.ends_with("/")) continue;
    const bool closes = inside.starts_with("/");
    const std::string tag(inside.substr(closes ? 1 : 0, inside.find_first_of(" \n") - (closes ? 1 : 0)));
    if (!closes && !is_void(tag)) open.push_back(tag);
    if (!closes) continue;
    if (open.empty() || open.back() != tag) return "/" + tag;
    open.pop_back();
  }
  return open.empty() ? "" : open.back();
}

}  // namespace

TEST_CASE("the JSON report parses back and holds every measured figure exactly", "[compress][report]") {
  const Report report = sample();
  const Json json = parse_json(report_json(report), "report.json");
  CHECK(json.at("schema").as_u64() == kJsonSchema);
  CHECK_FALSE(json.at("accepted").as_bool());
  CHECK(json.at("compress_seconds").as_f64() == 41.5);
  CHECK(json.at("compress_peak_memory_bytes").is_null());
  CHECK(json.at("recipe").at("prune").as_f64() == 0.5);
  CHECK(json.at("gates").items()[1].at("bound").as_f64() == 5);
  const Json& small = json.at("models").items().at(1);
  CHECK(small.at("file_bytes").as_u64() == 18'904'512);
  CHECK(small.at("size_ratio").as_f64() == 90'868'376.0 / 18'904'512.0);
  CHECK(small.at("task").at("pearson").as_f64() == 0.8194);
  CHECK(small.at("task").at("pearson_difference").as_f64() == 0.8194 - 0.8203);
  CHECK(small.at("fidelity").at("p05_cosine").as_f64() == 0.9874);
  CHECK(small.at("speed").items()[0].at("p50_ms").as_f64() == 3.5);
  CHECK(small.at("speed").items()[0].at("speedup").as_f64() == 4);
  CHECK(small.at("sizes").items()[1].at("label").as_string() == "masks");
  const Json& weight = small.at("weights").items().at(2);
  CHECK(weight.at("bytes").as_u64() == 93'698);
  CHECK(weight.at("shape").items()[0].as_u64() == 384);
  CHECK(weight.at("bits_per_weight").as_f64() == 5.083);
  CHECK(weight.at("loss").as_f64() == 0.02);
  CHECK(weight.at("loss_uncorrected").as_f64() == 0.08);
}

TEST_CASE("the JSON report has the same bytes and the same order of keys each time", "[compress][report]") {
  const std::string text = report_json(sample());
  CHECK(text == report_json(sample()));
  CHECK(text.ends_with("}\n"));
  CHECK_FALSE(text.ends_with("\n\n"));
  CHECK(text.find("\"schema\"") < text.find("\"title\""));
  CHECK(text.find("\"models\"") < text.find("\"machine\""));
}

TEST_CASE("a recipe that is not JSON is kept as text in the JSON report", "[compress][report]") {
  Report report = sample();
  report.recipe_json = "{ not JSON";
  CHECK(parse_json(report_json(report), "report.json").at("recipe").as_string() == "{ not JSON");
}

TEST_CASE("every tag of the HTML report is closed, in every kind of report", "[compress][report]") {
  CHECK(unbalanced_tag("<p><b></p></b>") == "/p");  // the check can fail
  CHECK(unbalanced_tag(report_html(sample())).empty());
  for (const Report& report : partial_reports()) CHECK(unbalanced_tag(report_html(report)).empty());
}

TEST_CASE("the HTML report needs nothing from outside and no script", "[compress][report]") {
  const std::string html = report_html(sample());
  for (const char* outside : {"http", "src=", "href", "url(", "@import", "<script", "<link", "<img"}) {
    CHECK(count_of(html, outside) == 0);
  }
  CHECK_THAT(html, Contains("prefers-color-scheme: dark") && Contains("<svg") && Contains("role=\"img\""));
}

TEST_CASE("text in the HTML report is escaped wherever it stands", "[compress][report]") {
  const std::string attack = "\"><script>alert('x')</script>&\x01\xff";
  Report report = sample();
  report.title = report.calibration = report.recipe_json = report.machine.cpu = attack;
  report.notes = {attack};
  report.gates[0].name = report.gates[0].unit = attack;
  for (ModelReport& model : report.models) {
    model.name = model.isa = model.task->task = model.task->file = model.task->metrics[0].name = model.task->unit =
        attack;
    model.sizes[0].label = attack;
  }
  WeightFacts& weight = report.models[1].weights[0];
  weight.name = weight.role = weight.encoding = weight.method = attack;
  weight.fallbacks = {attack};
  const std::string html = report_html(report);
  CHECK(count_of(html, "<script") == 0);
  CHECK(count_of(html, "\x01") == 0);
  CHECK(count_of(html, "\xff") == 0);
  CHECK(count_of(html, "&lt;script&gt;") > 10);
  CHECK(unbalanced_tag(html).empty());
}

TEST_CASE("every weight is a row and a column of the chart in the HTML report", "[compress][report]") {
  const Report report = sample(200);
  const std::string html = report_html(report);
  CHECK(count_of(html, "class=\"target\"") == 200);
  CHECK(count_of(html, "class=\"before\"") == 200);
  CHECK(count_of(html, "class=\"after\"") >= 200);
  for (const WeightFacts& weight : report.models[1].weights) {
    CHECK(count_of(html, weight.name) == 1);  // in the chart; in the table it may break after its dots
    CHECK(count_of(html, "<td class=\"number\">" + count_text(weight.bytes) + "</td>") == 1);
  }
}

TEST_CASE("the HTML report leads with size, speed, accuracy and memory against the original", "[compress][report]") {
  const std::string html = report_html(sample());
  CHECK_THAT(html, Contains("<span>4.81\xc3\x97</span><small>smaller</small>"));
  CHECK_THAT(html, Contains("<span>4.00\xc3\x97</span><small>faster</small>"));
  CHECK_THAT(html, Contains("<span>99.89 %</span><small>kept</small>"));
  CHECK_THAT(html, Contains("<span class=\"verdict bad\">REGRESS</span>"));
}

TEST_CASE("a model that became slower and larger is called slower and larger", "[compress][report]") {
  Report report = sample();
  report.models[1].file_bytes = 2 * report.models[0].file_bytes;
  for (SpeedCase& speed : report.models[1].speed) speed.p50_ms *= 8;
  const std::string html = report_html(report);
  CHECK_THAT(html, Contains("<span>2.00\xc3\x97</span><small>larger</small>"));
  CHECK_THAT(html, Contains("<span>2.00\xc3\x97</span><small>slower</small>"));
  CHECK_THAT(html, Contains("figure caution"));
}

TEST_CASE("fallbacks are shown with their weight", "[compress][report]") {
  Report report = sample();
  report.models[1].weights[3].fallbacks = {"damping raised to 0.1", "rounded to nearest"};
  CHECK_THAT(report_html(report), Contains("class=\"note\"") && Contains("damping raised to 0.1") &&
                                      Contains("rounded to nearest") && Contains("1 weight with fallbacks"));
  CHECK_THAT(report_markdown(report), Contains("damping raised to 0.1; rounded to nearest |"));
}

TEST_CASE("every table of the Markdown report has as many cells in each row", "[compress][report]") {
  Report report = sample();
  report.models[1].name = "a | b";
  report.models[1].weights[0].name = "w|\nx`y_";
  report.models[1].weights[0].fallbacks = {"one | two"};
  std::vector<Report> reports = partial_reports();
  reports.push_back(report);
  size_t tables = 0;
  for (const Report& each : reports) {
    size_t expected = 0;
    for (const std::string& line : lines_of(report_markdown(each))) {
      const size_t cells = line.starts_with("|") ? count_of(line, "|") - count_of(line, "\\|") : 0;
      tables += expected == 0 && cells > 0 ? 1 : 0;
      if (expected > 0 && cells > 0) CHECK(cells == expected);
      expected = cells;
    }
  }
  CHECK(tables > 20);
}

TEST_CASE("the text report is plain text of at most 100 columns", "[compress][report]") {
  std::vector<Report> reports = partial_reports();
  reports.push_back(sample());
  reports.back().title = std::string(250, 't');
  reports.back().notes = {std::string(99, 'a') + " b " + std::string(400, 'c'), "", " ", "escape \x1b[31m",
                          "gr\xc3\xb6\xc3\x9f" + std::string(200, 'e')};
  for (const Report& report : reports) {
    for (const std::string& line : lines_of(report_text(report))) {
      CHECK(reporting::text_width(line) <= 100);
      CHECK(line.find('\x1b') == line.npos);
    }
  }
}

TEST_CASE("the text report names size, accuracy, speed and the verdicts", "[compress][report]") {
  CHECK_THAT(report_text(sample()), Contains("18.9 MB") && Contains("4.81x") && Contains("0.8194") &&
                                        Contains("-0.0009") && Contains("0.9951") && Contains("3.50") &&
                                        Contains("4.00x") && Contains("ACCEPT") && Contains("REGRESS") &&
                                        Contains("- One layer fell back."));
}

TEST_CASE("what was not measured is left out and never printed as nan or inf", "[compress][report]") {
  REQUIRE(has_word("a nan.", "nan"));
  for (const Report& report : partial_reports()) {
    for (const std::string& text : {report_text(report), report_markdown(report), report_html(report)}) {
      CHECK_FALSE(has_word(text, "nan"));
      CHECK_FALSE(has_word(text, "inf"));
    }
    CHECK_NOTHROW(parse_json(report_json(report), "report.json"));
  }
  CHECK_THAT(report_markdown(sample()), Contains("## Accuracy"));
  CHECK_THAT(report_markdown(partial_reports()[3]), !Contains("## Accuracy") && !Contains("Spearman"));
}

}  // namespace lathe
