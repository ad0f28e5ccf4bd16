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
/// The median time of the first model in the case of `speed`, divided by the median time of `speed`.
std::optional<double> speedup(const Report& report, const SpeedCase& speed);
/// The figure with that key; nullptr when the model has no task with such a figure.
const EvalMetric* find_metric(const ModelReport& model, std::string_view key);
/// The main figure of the first model that has a task; nullptr when none has.
const EvalMetric* main_metric(const Report& report);
/// The figures of the tasks of all models without repetition, in the order in which they first appear.
std::vector<EvalMetric> task_metrics(const Report& report);
/// The figure of the model minus that of the first model, where both did the same task on the same file.
std::optional<double> metric_difference(const Report& report, const ModelReport& model, std::string_view key);

/// The cases of all models without repetition, in the order in which they first appear. The first one is the main case.
std::vector<SpeedCase> speed_cases(const Report& report);
/// The figures of the model in the case of `like`; nullptr when the model was not measured in it.
const SpeedCase* find_case(const ModelReport& model, const SpeedCase& like);
/// What the bytes of the files are for, over all models; what takes most bytes in any model comes first.
std::vector<std::string> size_labels(const Report& report);
/// The bytes of the model's file with that label; 0 when there are none.
uint64_t size_of(const ModelReport& model, std::string_view label);
/// Whether every gate passed.
bool accepted(const Report& report);
/// "at most 0.01 Pearson" for the bound, "0.0009 Pearson" for what was measured.
std::string gate_bound_text(const Gate& gate);
std::string gate_actual_text(const Gate& gate);

}  // namespace lathe::reporting
