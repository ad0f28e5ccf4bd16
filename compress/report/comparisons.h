#pragma once
// The comparisons that the writers of a report draw from what was measured. A ratio or a difference is nullopt where
// one side was not measured, and where there is only one model.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compress/facts/report_facts.h"

namespace lathe::reporting {

/// "batch 1, 128 tokens, 1 thread"; of a decoder "prompt of 128 tokens, 1 thread" or "64 tokens one by one, 1 thread"
std::string case_text(const SpeedCase& speed);
/// reference / own, when both are positive and finite.
std::optional<double> ratio(double reference, double own);
std::optional<double> size_ratio(const Report& report, const ModelReport& model);
std::optional<double> memory_ratio(const Report& report, const ModelReport& model);
/// Of p50, for the same batch, length and threads as `speed`.
std::optional<double> speedup(const Report& report, const SpeedCase& speed);
/// The model's figure of that key; nullptr when its task has none.
const TaskMetric* find_metric(const ModelReport& model, std::string_view key);
/// The main figure of the first model that has a task; nullptr when none has.
const TaskMetric* main_metric(const Report& report);
/// Every distinct figure of the tasks of all models, in the order of first appearance.
std::vector<TaskMetric> task_metrics(const Report& report);
/// Own minus the reference's, on the same task and file.
std::optional<double> metric_difference(const Report& report, const ModelReport& model, std::string_view key);

/// Every distinct kind, batch, length, depth and threads, in the order of first appearance; the first is the main case.
std::vector<SpeedCase> speed_cases(const Report& report);
/// nullptr when the model was not measured so.
const SpeedCase* find_case(const ModelReport& model, const SpeedCase& like);
/// The labels of all models, the largest over all models first.
std::vector<std::string> size_labels(const Report& report);
/// 0 when the model has no such item.
uint64_t size_of(const ModelReport& model, std::string_view label);
/// Whether every gate passed.
bool accepted(const Report& report);
/// "at most 0.01 Pearson", "0.0009 Pearson"
std::string gate_bound_text(const Gate& gate);
std::string gate_actual_text(const Gate& gate);

}  // namespace lathe::reporting
