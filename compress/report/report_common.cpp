#include "compress/report/report_common.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "formats/artifact/error.h"
#include "formats/text.h"

namespace lathe::reporting {
namespace {

/// Commas between the thousands of the digits before the point.
std::string grouped(std::string text) {
  const size_t first = text.find_first_of("0123456789");
  const size_t end = std::min(text.find_first_of(".e"), text.size());
  for (size_t at = end; at > first + 3;) {
    at -= 3;
    text.insert(at, 1, ',');
  }
  return text;
}

std::string digits_of(double value, std::chars_format format, int precision) {
  std::array<char, 64> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format, precision);
  return {buffer.data(), result.ptr};
}

bool is_zero_text(std::string_view text) { return text.find_first_of("123456789") == text.npos; }

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

std::string fixed_text(double value, int decimals) {
  if (!std::isfinite(value)) return kMissing;
  if (std::abs(value) >= 1e15) return digits_of(value, std::chars_format::scientific, 3);
  std::string text = digits_of(value, std::chars_format::fixed, decimals);
  if (text.front() == '-' && is_zero_text(text)) text.erase(0, 1);
  return grouped(std::move(text));
}

std::string signed_text(double value, int decimals) {
  std::string text = fixed_text(value, decimals);
  const bool positive = std::isfinite(value) && value > 0 && !is_zero_text(text);
  return positive ? "+" + text : text;
}

std::string count_text(uint64_t value) { return grouped(std::to_string(value)); }

std::string bytes_text(uint64_t bytes) {
  constexpr std::array<const char*, 7> kUnits = {" B", " kB", " MB", " GB", " TB", " PB", " EB"};
  if (bytes < 1000) return std::to_string(bytes) + kUnits[0];
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  // 999.5 would be written "1000".
  while (value >= 999.5 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return fixed_text(value, decimals) + kUnits[unit];
}

std::string percent_text(double fraction, int decimals) {
  return std::isfinite(fraction) ? fixed_text(fraction * 100, decimals) + " %" : kMissing;
}

std::string ratio_text(double ratio) {
  if (!std::isfinite(ratio)) return kMissing;
  return fixed_text(ratio, ratio < 9.995 ? 2 : ratio < 99.95 ? 1 : 0) + "x";
}

std::string loss_text(double loss) {
  if (!std::isfinite(loss)) return kMissing;
  if (loss != 0 && std::abs(loss) < 1e-4) return digits_of(loss, std::chars_format::scientific, 1);
  return fixed_text(loss, 5);
}

std::string milliseconds_text(double milliseconds, int decimals) {
  return milliseconds > 0 ? fixed_text(milliseconds, decimals) : kMissing;
}

int milliseconds_decimals(double smallest) { return smallest < 1 ? 3 : 2; }

std::string case_text(const SpeedCase& speed) {
  const std::string together = speed.batch == 1 ? "" : message(plural(speed.batch, "sequence"), ", ");
  if (speed.kind == SpeedKind::prefill) {
    return message(together, "prompt of ", plural(speed.length, "token"), ", ", plural(speed.threads, "thread"));
  }
  if (speed.kind == SpeedKind::decode) {
    return message(together, plural(speed.length, "token"), " one by one",
                   speed.depth == 0 ? "" : message(" behind ", count_text(speed.depth)), ", ",
                   plural(speed.threads, "thread"), speed.cache == "int8" ? ", cache in int8" : "");
  }
  return message("batch ", speed.batch, ", ", plural(speed.length, "token"), ", ", plural(speed.threads, "thread"));
}

std::string case_key(const SpeedCase& speed) {
  if (speed.kind == SpeedKind::forward) return {};
  const std::string key = message(speed.kind == SpeedKind::prefill ? "pp" : "tg", speed.length);
  return speed.depth == 0 ? key : message(key, "@", speed.depth);
}

Json speed_json(const SpeedCase& speed) {
  Json out = Json::object({{"batch", speed.batch},
                           {"length", speed.length},
                           {"threads", speed.threads},
                           {"runs", speed.runs},
                           {"p50_ms", speed.p50_ms},
                           {"p90_ms", speed.p90_ms},
                           {"p99_ms", speed.p99_ms},
                           {"tokens_per_second", speed.tokens_per_second}});
  if (speed.kind == SpeedKind::forward) return out;
  return out.set("case", case_key(speed))
      .set("depth", speed.depth)
      .set("cache", speed.cache)
      .set("cache_bytes", speed.cache_bytes);
}

std::string shape_text(const std::vector<uint64_t>& shape) {
  std::string text;
  for (const uint64_t extent : shape) text += (text.empty() ? "" : " x ") + std::to_string(extent);
  return text.empty() ? kMissing : text;
}

std::string plural(uint64_t count, std::string_view noun) {
  return message(count_text(count), " ", noun, count == 1 ? "" : "s");
}

size_t text_width(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xc0) != 0x80; }));
}

std::string shortened(std::string_view text, size_t width, std::string_view ellipsis) {
  const size_t total = text_width(text);
  if (total <= width) return std::string(text);
  const size_t kept = width - std::min(width, text_width(ellipsis));
  const size_t head = kept / 2;
  const size_t tail_start = total - (kept - head);
  std::string start;
  std::string end;
  size_t character = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    if (at > 0 && (static_cast<uint8_t>(text[at]) & 0xc0) != 0x80) ++character;
    if (character < head) start += text[at];
    if (character >= tail_start) end += text[at];
  }
  return start + std::string(ellipsis) + end;
}

std::string html_text(std::string_view text) {
  constexpr std::string_view kMarkup = "&<>\"'";
  constexpr std::array<std::string_view, 5> kEscapes = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
  constexpr std::string_view kReplacement = "\xef\xbf\xbd";
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const auto byte = static_cast<uint8_t>(text[at]);
    const size_t length = utf8_length_at(text, at);
    if (const size_t markup = kMarkup.find(text[at]); markup != kMarkup.npos) {
      out += kEscapes[markup];
    } else if (length == 0 || (byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f) {
      out += kReplacement;
    } else {
      out += text.substr(at, length);
    }
    at += std::max<size_t>(length, 1);
  }
  return out;
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

const TaskMetric* find_metric(const ModelReport& model, std::string_view key) {
  if (!model.task) return nullptr;
  const auto& metrics = model.task->metrics;
  const auto found =
      std::find_if(metrics.begin(), metrics.end(), [&](const auto& metric) { return metric.key == key; });
  return found == metrics.end() ? nullptr : &*found;
}

const TaskMetric* main_metric(const Report& report) {
  for (const ModelReport& model : report.models) {
    if (model.task && !model.task->metrics.empty()) return &model.task->main();
  }
  return nullptr;
}

std::vector<TaskMetric> task_metrics(const Report& report) {
  std::vector<TaskMetric> all;
  for (const ModelReport& model : report.models) {
    if (!model.task) continue;
    for (const TaskMetric& metric : model.task->metrics) {
      const auto same = [&](const TaskMetric& other) { return other.key == metric.key; };
      if (std::none_of(all.begin(), all.end(), same)) all.push_back(metric);
    }
  }
  return all;
}

std::optional<double> metric_difference(const Report& report, const ModelReport& model, std::string_view key) {
  if (report.models.empty() || !model.task || !report.models.front().task) return std::nullopt;
  const ModelReport& reference = report.models.front();
  if (reference.task->task != model.task->task || reference.task->file != model.task->file) return std::nullopt;
  const TaskMetric* before = find_metric(reference, key);
  const TaskMetric* after = find_metric(model, key);
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
