#include "compress/report/comparisons.h"

#include <algorithm>
#include <cmath>

#include "compress/facts/number_text.h"
#include "formats/artifact/error.h"

namespace lathe::reporting {
namespace {

std::string gate_value_text(const Gate& gate, double value) {
  if (!std::isfinite(value)) return kMissing;
  if (gate.unit == "bytes" && value >= 0 && value < 1e18) return bytes_text(static_cast<uint64_t>(std::llround(value)));
  if (gate.unit == "x") return ratio_text(value);
  if (gate.unit == "of the perplexity") return percent_text(value, 2) + " " + gate.unit;
  const std::string number = fixed_text(value, 4);
  return gate.unit.empty() ? number : number + " " + gate.unit;
}

bool same_case(const SpeedCase& a, const SpeedCase& b) {
  return a.kind == b.kind && a.batch == b.batch && a.length == b.length && a.depth == b.depth &&
         a.threads == b.threads && a.cache == b.cache;
}

std::optional<double> finite(double value) {
  return std::isfinite(value) ? std::optional<double>(value) : std::nullopt;
}

}  // namespace

std::string case_text(const SpeedCase& speed) {
  const std::string together = speed.batch == 1 ? "" : message(plural(speed.batch, "sequence"), ", ");
  if (speed.kind == SpeedKind::prefill) {
    return message(together, "prompt of ", plural(speed.length, "token"), ", ", plural(speed.threads, "thread"));
  }
  if (speed.kind == SpeedKind::decode) {
    return message(together, plural(speed.length, "token"), " one by one",
                   speed.depth == 0 ? "" : message(" after ", count_text(speed.depth), " others"), ", ",
                   plural(speed.threads, "thread"), speed.cache == "int8" ? ", cache in int8" : "");
  }
  return message("batch ", speed.batch, ", ", plural(speed.length, "token"), ", ", plural(speed.threads, "thread"));
}

std::optional<double> ratio(double reference, double own) {
  return reference > 0 && own > 0 ? finite(reference / own) : std::nullopt;
}

std::optional<double> size_ratio(const Report& report, const ModelReport& model) {
  if (report.models.size() < 2) return std::nullopt;
  return ratio(static_cast<double>(report.models.front().file_bytes), static_cast<double>(model.file_bytes));
}

std::optional<double> memory_ratio(const Report& report, const ModelReport& model) {
  if (report.models.size() < 2) return std::nullopt;
  return ratio(static_cast<double>(report.models.front().peak_memory_bytes),
               static_cast<double>(model.peak_memory_bytes));
}

std::optional<double> speedup(const Report& report, const SpeedCase& speed) {
  const SpeedCase* reference = report.models.size() < 2 ? nullptr : find_case(report.models.front(), speed);
  return reference == nullptr ? std::nullopt : ratio(reference->p50_ms, speed.p50_ms);
}

const EvalMetric* find_metric(const ModelReport& model, std::string_view key) {
  if (!model.task) return nullptr;
  const auto& metrics = model.task->metrics;
  const auto found =
      std::find_if(metrics.begin(), metrics.end(), [&](const auto& metric) { return metric.key == key; });
  return found == metrics.end() ? nullptr : &*found;
}

const EvalMetric* main_metric(const Report& report) {
  for (const ModelReport& model : report.models) {
    if (model.task && !model.task->metrics.empty()) return &model.task->main();
  }
  return nullptr;
}

std::vector<EvalMetric> task_metrics(const Report& report) {
  std::vector<EvalMetric> all;
  for (const ModelReport& model : report.models) {
    if (!model.task) continue;
    for (const EvalMetric& metric : model.task->metrics) {
      const auto same = [&](const EvalMetric& other) { return other.key == metric.key; };
      if (std::none_of(all.begin(), all.end(), same)) all.push_back(metric);
    }
  }
  return all;
}

std::optional<double> metric_difference(const Report& report, const ModelReport& model, std::string_view key) {
  if (report.models.empty() || !model.task || !report.models.front().task) return std::nullopt;
  const ModelReport& reference = report.models.front();
  if (reference.task->task != model.task->task || reference.task->file != model.task->file) return std::nullopt;
  const EvalMetric* before = find_metric(reference, key);
  const EvalMetric* after = find_metric(model, key);
  return before == nullptr || after == nullptr ? std::nullopt : finite(after->value - before->value);
}

std::vector<SpeedCase> speed_cases(const Report& report) {
  std::vector<SpeedCase> cases;
  for (const ModelReport& model : report.models) {
    for (const SpeedCase& speed : model.speed) {
      const auto seen = [&](const SpeedCase& other) { return same_case(speed, other); };
      if (std::none_of(cases.begin(), cases.end(), seen)) cases.push_back(speed);
    }
  }
  return cases;
}

const SpeedCase* find_case(const ModelReport& model, const SpeedCase& like) {
  const auto found = std::find_if(model.speed.begin(), model.speed.end(),
                                  [&](const SpeedCase& speed) { return same_case(speed, like); });
  return found == model.speed.end() ? nullptr : &*found;
}

std::vector<std::string> size_labels(const Report& report) {
  std::vector<std::string> labels;
  for (const ModelReport& model : report.models) {
    for (const SizeItem& item : model.sizes) {
      if (std::find(labels.begin(), labels.end(), item.label) == labels.end()) labels.push_back(item.label);
    }
  }
  const auto largest = [&](const std::string& label) {
    uint64_t bytes = 0;
    for (const ModelReport& model : report.models) bytes = std::max(bytes, size_of(model, label));
    return bytes;
  };
  std::stable_sort(labels.begin(), labels.end(),
                   [&](const std::string& a, const std::string& b) { return largest(a) > largest(b); });
  return labels;
}

uint64_t size_of(const ModelReport& model, std::string_view label) {
  uint64_t bytes = 0;
  for (const SizeItem& item : model.sizes) bytes += item.label == label ? item.bytes : 0;
  return bytes;
}

bool accepted(const Report& report) {
  return std::all_of(report.gates.begin(), report.gates.end(), [](const Gate& gate) { return gate.passed; });
}

std::string gate_bound_text(const Gate& gate) {
  const std::string value = gate_value_text(gate, gate.bound);
  if (gate.name.starts_with("max")) return "at most " + value;
  return gate.name.starts_with("min") ? "at least " + value : value;
}

std::string gate_actual_text(const Gate& gate) { return gate_value_text(gate, gate.actual); }

}  // namespace lathe::reporting
