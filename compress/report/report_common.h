#pragma once
// What the writers of a report share: figures as text, and the comparisons drawn from what was measured.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compress/facts/report_facts.h"
#include "formats/json.h"

namespace lathe::reporting {

/// Stands for a figure that was not measured.
inline constexpr const char* kMissing = "-";

// ---- figures as text; a value that is not finite gives kMissing ----

/// "1,234.50"
std::string fixed_text(double value, int decimals);
/// fixed_text with its sign, also when it is positive; zero has none.
std::string signed_text(double value, int decimals);
/// "1,234"
std::string count_text(uint64_t value);
/// Decimal units, three digits: "18.9 MB", "512 B".
std::string bytes_text(uint64_t bytes);
/// 0.5 gives "50.0 %".
std::string percent_text(double fraction, int decimals = 1);
/// "4.81x", "12.3x", "1,200x"
std::string ratio_text(double ratio);
/// Five decimals, and "2.1e-06" below 0.0001.
std::string loss_text(double loss);
/// As many decimals as the smallest value of its column needs: see milliseconds_decimals.
std::string milliseconds_text(double milliseconds, int decimals = 2);
/// 3 when `smallest` is below 1, otherwise 2.
int milliseconds_decimals(double smallest);
/// "batch 1, 128 tokens, 1 thread"; of a decoder "prompt of 128 tokens, 1 thread" or "64 tokens one by one, 1 thread"
std::string case_text(const SpeedCase& speed);
/// Of a decoder: "pp128", "tg64", "tg64@512" behind 512 tokens; empty for an encoder.
std::string case_key(const SpeedCase& speed);
/// What was timed and how long it took; of a decoder with "case", "depth", "cache" and "cache_bytes".
Json speed_json(const SpeedCase& speed);
/// "384 x 1536"
std::string shape_text(const std::vector<uint64_t>& shape);
/// "1 model", "2 models"
std::string plural(uint64_t count, std::string_view noun);
/// At most `width` characters, the middle replaced by `ellipsis`; never splits a UTF-8 sequence.
std::string shortened(std::string_view text, size_t width, std::string_view ellipsis);
/// Number of characters (not of bytes) of UTF-8 text.
size_t text_width(std::string_view text);
/// HTML text or attribute value: markup escaped, control characters and bytes that are not UTF-8 become U+FFFD.
std::string html_text(std::string_view text);

// ---- comparisons; nullopt where one side was not measured, and where there is only one model ----

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
