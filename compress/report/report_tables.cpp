#include "compress/report/report_tables.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "compress/facts/number_text.h"
#include "compress/report/comparisons.h"
#include "formats/artifact/error.h"
#include "formats/artifact/tensor.h"

namespace lathe::reporting {
namespace {

bool is_reference(const Report& report, const ModelReport& model) { return &model == &report.models.front(); }

Cell name_cell(const Report& report, const ModelReport& model) {
  return {model.name, is_reference(report, model) ? Mark::reference : Mark::none};
}

Cell ratio_cell(std::optional<double> ratio) {
  if (!ratio) return {kMissing};
  return {ratio_text(*ratio), *ratio < 0.995 ? Mark::caution : Mark::none};
}

Cell difference_cell(bool reference, std::optional<double> difference, int decimals) {
  return {reference || !difference ? kMissing : signed_text(*difference, decimals)};
}

Cell metric_cell(const ModelReport& model, std::string_view key) {
  const EvalMetric* metric = find_metric(model, key);
  return {metric == nullptr ? kMissing : fixed_text(metric->value, metric->decimals)};
}

Cell agreement_cell(const ModelReport& model) {
  const bool measured = model.fidelity && model.fidelity->agreement;
  return {measured ? percent_text(*model.fidelity->agreement, 2) : kMissing};
}

Cell same_top_cell(const ModelReport& model) {
  return {model.predictions ? percent_text(model.predictions->same_top, 2) : kMissing};
}

Cell kl_cell(const ModelReport& model, double PredictionResult::*figure) {
  return {model.predictions ? loss_text((*model.predictions).*figure) : kMissing};
}

/// "1.0123 ± 0.0008": of this perplexity to the original's.
Cell perplexity_ratio_cell(const ModelReport& model) {
  if (!model.predictions) return {kMissing};
  const double ratio = std::exp(model.predictions->log_ratio);
  return {message(fixed_text(ratio, 4), " \xc2\xb1 ", fixed_text(ratio * model.predictions->log_ratio_error, 4))};
}

Cell metric_error_cell(const ModelReport& model, std::string_view key) {
  const EvalMetric* metric = find_metric(model, key);
  const bool known = metric != nullptr && metric->standard_error > 0;
  return {known ? fixed_text(metric->standard_error, metric->decimals) : kMissing};
}

/// What the columns of a task's figures say under the cursor; figures without a row explain themselves.
constexpr std::array<std::pair<std::string_view, const char*>, 5> kMetricHints = {
    {{"pearson", "Correlation of the cosine of two embeddings with the human score."},
     {"spearman", "Correlation of the ranks of that cosine and of the human score."},
     {"accuracy", "Share of the texts whose largest logit is that of their label."},
     {"perplexity", "Exponential of the mean negative log likelihood of the tokens of the text; lower is better."},
     {"macro_f1", "Mean over the labels of the harmonic mean of precision and recall."}}};

std::string metric_hint(std::string_view key) {
  const auto found =
      std::find_if(kMetricHints.begin(), kMetricHints.end(), [&](const auto& row) { return row.first == key; });
  return found == kMetricHints.end() ? "" : found->second;
}

Cell bytes_cell(uint64_t bytes) { return {bytes == 0 ? kMissing : bytes_text(bytes)}; }
Cell count_cell(uint64_t count) { return {count == 0 ? kMissing : count_text(count)}; }
Cell rate_cell(double per_second) { return {per_second > 0 ? fixed_text(per_second, 0) : kMissing}; }

/// Decimals that the shortest p50 of a case needs, over all models.
int decimals_of_p50(const Report& report, const SpeedCase& like) {
  double smallest = std::numeric_limits<double>::infinity();
  for (const ModelReport& model : report.models) {
    const SpeedCase* speed = find_case(model, like);
    if (speed != nullptr && speed->p50_ms > 0) smallest = std::min(smallest, speed->p50_ms);
  }
  return milliseconds_decimals(smallest);
}

/// Leaves out columns in which no model has a figure. The first column, the name of the row, always stays.
Table without_empty_columns(Table table) {
  for (size_t column = table.columns.size(); column-- > 1;) {
    const auto empty = [&](const Row& row) { return row.cells[column].text == kMissing; };
    if (!std::all_of(table.rows.begin(), table.rows.end(), empty)) continue;
    table.columns.erase(table.columns.begin() + static_cast<std::ptrdiff_t>(column));
    for (Row& row : table.rows) row.cells.erase(row.cells.begin() + static_cast<std::ptrdiff_t>(column));
  }
  return table;
}

Row speed_row(const Report& report, const ModelReport& model, const SpeedCase& speed, int decimals) {
  return {{{case_text(speed)},
           name_cell(report, model),
           {milliseconds_text(speed.p50_ms, decimals)},
           {milliseconds_text(speed.p90_ms, decimals)},
           {milliseconds_text(speed.p99_ms, decimals)},
           ratio_cell(speedup(report, speed)),
           rate_cell(speed.tokens_per_second),
           bytes_cell(speed.cache_bytes),
           count_cell(speed.runs)},
          {}};
}

void append_overview_speed(Row& row, const Report& report, const SpeedCase* speed, int decimals) {
  if (speed == nullptr) {
    row.cells.insert(row.cells.end(), 3, Cell{kMissing});
    return;
  }
  row.cells.push_back({milliseconds_text(speed->p50_ms, decimals)});
  row.cells.push_back(ratio_cell(speedup(report, *speed)));
  row.cells.push_back(rate_cell(speed->tokens_per_second));
}

double bits_per_parameter(const ModelReport& model) {
  return static_cast<double>(model.file_bytes) * 8 / static_cast<double>(model.parameters);
}

std::string text_or_missing(const std::string& text) { return text.empty() ? kMissing : text; }

Cell items_cell(const EvalResult& task) {
  return {task.items == 0 ? kMissing : message(count_text(task.items), " ", task.unit)};
}

// The instructions of the kernels, and the device where it is not the CPU that the report names.
std::string kernels_text(const ModelReport& model) {
  return model.device.empty() || model.device == "cpu" ? model.isa : message(model.isa, ", ", model.device);
}

}  // namespace

Table overview_table(const Report& report) {
  const EvalMetric* main = main_metric(report);
  const std::string key = main == nullptr ? "" : main->key;
  Table table{"Overview",
              {{"Model", Kind::name},
               {"Size"},
               {"Smaller"},
               {main == nullptr ? "Accuracy" : main->name},
               {"Change"},
               {"Cosine"},
               {"Same label"},
               {"Mean KL"},
               {"Same token"},
               {"p50 ms"},
               {"Faster"},
               {"Tokens/s"},
               {"Memory"}},
              {}};
  const std::vector<SpeedCase> cases = speed_cases(report);
  const int decimals = cases.empty() ? 2 : decimals_of_p50(report, cases.front());
  for (const ModelReport& model : report.models) {
    Row row{{name_cell(report, model),
             bytes_cell(model.file_bytes),
             ratio_cell(size_ratio(report, model)),
             metric_cell(model, key),
             difference_cell(is_reference(report, model), metric_difference(report, model, key),
                             main == nullptr ? 4 : main->decimals),
             {model.fidelity ? fixed_text(model.fidelity->mean, 4) : kMissing},
             agreement_cell(model),
             kl_cell(model, &PredictionResult::mean_kl),
             same_top_cell(model)},
            {}};
    append_overview_speed(row, report, cases.empty() ? nullptr : find_case(model, cases.front()), decimals);
    row.cells.push_back(bytes_cell(model.peak_memory_bytes));
    table.rows.push_back(std::move(row));
  }
  return without_empty_columns(std::move(table));
}

Table accuracy_table(const Report& report) {
  const std::vector<EvalMetric> metrics = task_metrics(report);
  Table table{"Accuracy", {{"Model", Kind::name}, {"Task", Kind::text}, {"File", Kind::text}, {"Items"}}, {}};
  for (const EvalMetric& metric : metrics) {
    table.columns.push_back({metric.name, Kind::number, metric_hint(metric.key)});
    table.columns.push_back({"Std. error"});
    table.columns.push_back({"Change"});
  }
  table.columns.push_back({"Texts"});
  table.columns.push_back({"Mean cosine", Kind::number,
                           "Mean cosine between the outputs of this model and of the original for the same text."});
  table.columns.push_back({"5 % below", Kind::number, "Five per cent of the texts have a smaller cosine."});
  table.columns.push_back({"Smallest"});
  table.columns.push_back({"Same label", Kind::number, "Share of the texts that get the original's label."});
  table.columns.insert(
      table.columns.end(),
      {{"Predictions", Kind::number, "Places of the text where the next token was predicted."},
       {"Perplexity ratio", Kind::number,
        "This perplexity divided by the original's, with its standard error from the differences of paired tokens."},
       {"Mean KL", Kind::number, "KL divergence of these predictions from the original's, in nats."},
       {"KL p99", Kind::number, "Ninety-nine per cent of the places have a smaller divergence."},
       {"Same token", Kind::number, "Share of the places with the original's most probable token."}});
  for (const ModelReport& model : report.models) {
    if (!model.task && !model.fidelity && !model.predictions) continue;
    const EvalResult task = model.task.value_or(EvalResult{});
    const FidelityResult fidelity = model.fidelity.value_or(FidelityResult{});
    const auto cosine = [&](double value) { return Cell{model.fidelity ? fixed_text(value, 4) : kMissing}; };
    Row row{{name_cell(report, model), {text_or_missing(task.task)}, {text_or_missing(task.file)}, items_cell(task)},
            {}};
    for (const EvalMetric& metric : metrics) {
      row.cells.push_back(metric_cell(model, metric.key));
      row.cells.push_back(metric_error_cell(model, metric.key));
      row.cells.push_back(
          difference_cell(is_reference(report, model), metric_difference(report, model, metric.key), metric.decimals));
    }
    row.cells.insert(row.cells.end(), {count_cell(fidelity.texts), cosine(fidelity.mean), cosine(fidelity.p05),
                                       cosine(fidelity.minimum), agreement_cell(model)});
    row.cells.insert(row.cells.end(), {count_cell(model.predictions ? model.predictions->tokens : 0),
                                       perplexity_ratio_cell(model), kl_cell(model, &PredictionResult::mean_kl),
                                       kl_cell(model, &PredictionResult::p99_kl), same_top_cell(model)});
    table.rows.push_back(std::move(row));
  }
  return without_empty_columns(std::move(table));
}

Table speed_table(const Report& report) {
  Table table{"Speed",
              {{"Case", Kind::text},
               {"Model", Kind::name},
               {"p50 ms", Kind::number, "Median time of a run; of a prompt it is the time to the first token."},
               {"p90 ms"},
               {"p99 ms"},
               {"Faster", Kind::number, "p50 of the first model divided by this p50."},
               {"Tokens/s", Kind::number, "Tokens per second at the median time."},
               {"Cache", Kind::number, "Memory of the keys and values of a decoder."},
               {"Runs"}},
              {}};
  for (const SpeedCase& like : speed_cases(report)) {
    const int decimals = decimals_of_p50(report, like);
    for (const ModelReport& model : report.models) {
      const SpeedCase* speed = find_case(model, like);
      if (speed != nullptr) table.rows.push_back(speed_row(report, model, *speed, decimals));
    }
  }
  return without_empty_columns(std::move(table));
}

Table file_table(const Report& report) {
  Table table{"Size and memory",
              {{"Model", Kind::name},
               {"File"},
               {"Bytes"},
               {"Smaller"},
               {"Parameters"},
               {"Bits/parameter", Kind::number, "Bits of the whole file for each parameter."},
               {"Load ms"},
               {"Peak memory", Kind::number, "Largest resident set of a process that loads and runs the model."},
               {"Less memory"},
               {"Instructions", Kind::text, "Instruction set level that the runtime used."}},
              {}};
  for (const ModelReport& model : report.models) {
    const bool known = model.parameters > 0 && model.file_bytes > 0;
    table.rows.push_back({{name_cell(report, model),
                           bytes_cell(model.file_bytes),
                           count_cell(model.file_bytes),
                           ratio_cell(size_ratio(report, model)),
                           count_cell(model.parameters),
                           {known ? fixed_text(bits_per_parameter(model), 2) : kMissing},
                           {milliseconds_text(model.load_ms, 1)},
                           bytes_cell(model.peak_memory_bytes),
                           ratio_cell(memory_ratio(report, model)),
                           {text_or_missing(kernels_text(model))}},
                          {}});
  }
  return without_empty_columns(std::move(table));
}

Table size_table(const Report& report) {
  Table table{"Size by part (bytes)", {{"Part", Kind::text}}, {}, Layout::compact};
  for (const ModelReport& model : report.models) table.columns.push_back({model.name, Kind::number});
  for (const std::string& label : size_labels(report)) {
    Row row{{{label}}, {}};
    for (const ModelReport& model : report.models) row.cells.push_back(count_cell(size_of(model, label)));
    table.rows.push_back(std::move(row));
  }
  if (table.empty()) return table;
  Row total{{{"File", Mark::total}}, {}};
  for (const ModelReport& model : report.models)
    total.cells.push_back({count_cell(model.file_bytes).text, Mark::total});
  table.rows.push_back(std::move(total));
  return without_empty_columns(std::move(table));
}

Table layer_table(const ModelReport& model) {
  Table table{"Weights of " + model.name,
              {{"#"},
               {"Weight", Kind::name},
               {"Shape", Kind::text},
               {"Role", Kind::text},
               {"Encoding", Kind::text},
               {"Sparsity", Kind::number, "Share of the weights that is zero."},
               {"Bits/weight", Kind::number, "Bits of one weight, scales and masks included."},
               {"Bytes"},
               {"Loss before", Kind::number, "Relative output error of magnitude pruning and rounding to nearest."},
               {"Loss after", Kind::number, "Relative output error as written: 0 is perfect, 1 is a layer of zeros."},
               {"Lower", Kind::number, "Loss before divided by loss after."},
               {"Method", Kind::text}},
              {}};
  size_t number = 0;
  for (const WeightFacts& weight : model.weights) {
    const auto loss = [](std::optional<double> value) { return Cell{value ? loss_text(*value) : kMissing}; };
    table.rows.push_back({{{std::to_string(++number)},
                           {weight.name, weight.fallbacks.empty() ? Mark::none : Mark::caution},
                           {shape_text(weight.shape)},
                           {text_or_missing(weight.role)},
                           {text_or_missing(weight.encoding)},
                           {percent_text(weight.sparsity)},
                           {fixed_text(weight.bits_per_weight, 2)},
                           {count_text(weight.bytes)},
                           loss(weight.loss_uncorrected),
                           loss(weight.loss),
                           ratio_cell(ratio(weight.loss_uncorrected.value_or(0), weight.loss.value_or(0))),
                           {text_or_missing(weight.method)}},
                          weight.fallbacks});
  }
  return without_empty_columns(std::move(table));
}

Table gate_table(const Report& report) {
  Table table{
      "Bounds", {{"Bound", Kind::name}, {"Verdict", Kind::text}, {"Measured"}, {"Asked for"}}, {}, Layout::compact};
  for (const Gate& gate : report.gates) {
    table.rows.push_back({{{gate.name},
                           {gate.passed ? "ACCEPT" : "REGRESS", gate.passed ? Mark::good : Mark::bad},
                           {gate_actual_text(gate)},
                           {gate_bound_text(gate)}},
                          {}});
  }
  return table;
}

Table machine_table(const Report& report) {
  const Machine& machine = report.machine;
  const bool timed = report.compress_seconds > 0;
  const std::vector<std::pair<const char*, std::string>> facts = {
      {"Processor", machine.cpu},
      {"Cores", machine.cores == 0 ? "" : count_text(machine.cores)},
      {"Instructions", machine.isa},
      {"System", machine.system},
      {"Lathe", machine.version},
      {"Compiler", machine.compiler},
      {"Calibration", report.calibration},
      {"Compression took", timed ? fixed_text(report.compress_seconds, 1) + " s" : ""},
      {"Compression peak memory",
       report.compress_peak_memory_bytes == 0 ? "" : bytes_text(report.compress_peak_memory_bytes)},
  };
  Table table{"Machine and versions", {{"Fact", Kind::text}, {"Value", Kind::text}}, {}, Layout::facts};
  for (const auto& [name, value] : facts) {
    if (!value.empty()) table.rows.push_back({{{name}, {value}}, {}});
  }
  return table;
}

}  // namespace lathe::reporting
