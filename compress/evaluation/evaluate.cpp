#include "compress/evaluation/evaluate.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <numeric>
#include <set>
#include <string_view>
#include <unordered_map>

#include "formats/text.h"

namespace lathe {
namespace {

double parse_score(std::string_view text, const std::string& where) {
  double score = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), score);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(score)) {
    fail(Errc::malformed, message(where, ": score \"", printable(text), "\" is not a number"));
  }
  return score;
}

double cosine(const float* a, const float* b, size_t dimension) {
  double product = 0, a_squares = 0, b_squares = 0;
  for (size_t i = 0; i < dimension; ++i) {
    product += static_cast<double>(a[i]) * b[i];
    a_squares += static_cast<double>(a[i]) * a[i];
    b_squares += static_cast<double>(b[i]) * b[i];
  }
  if (a_squares == 0 && b_squares == 0) return 1;
  if (a_squares == 0 || b_squares == 0) return 0;
  return std::clamp(product / std::sqrt(a_squares * b_squares), -1.0, 1.0);
}

void check_finite(const std::vector<float>& embeddings, size_t dimension) {
  for (size_t i = 0; i < embeddings.size(); ++i) {
    if (!std::isfinite(embeddings[i])) {
      fail(Errc::malformed, message("embedding of text ", i / dimension, ": element ", i % dimension,
                                    " is not finite: the weights overflow"));
    }
  }
}

std::string file_name(const std::string& path) { return std::filesystem::path(path).filename().string(); }

// How often a label was true, predicted, and both.
struct LabelCounts {
  uint64_t truth = 0;
  uint64_t predicted = 0;
  uint64_t both = 0;

  bool occurs() const { return truth + predicted > 0; }
  double f1() const { return occurs() ? 2.0 * static_cast<double>(both) / static_cast<double>(truth + predicted) : 0; }
};

LabelledTask sts_task(const TextFile& file, const Task&) {
  StsData data = read_sts(file);
  std::vector<std::string> texts = data.texts;
  return {std::move(texts), [data = std::move(data)](const std::vector<float>& embeddings, size_t dimension) {
            return evaluate_sts(data, embeddings, dimension);
          }};
}

LabelledTask classification_task(const TextFile& file, const Task& model) {
  ClassificationData data = read_classification(file, model.labels);
  std::vector<std::string> texts = data.texts;
  return {std::move(texts), [data = std::move(data)](const std::vector<float>& logits, size_t dimension) {
            return evaluate_classification(data, logits, dimension);
          }};
}

struct TaskRow {
  std::string_view name;
  std::string_view format;                                        // of its file
  std::string_view model_kind;                                    // what it judges
  LabelledTask (*read)(const TextFile& file, const Task& model);  // null: not a task with labels
};
constexpr std::array kTasks = {
    TaskRow{"sts", "text_a TAB text_b TAB score", kEmbeddingTask, sts_task},
    TaskRow{"cls", "text TAB label", kClassificationTask, classification_task},
    TaskRow{"lm", "text", kGenerationTask, nullptr},
};

const TaskRow* find_task(std::string_view name) {
  const auto found = std::find_if(kTasks.begin(), kTasks.end(), [&](const TaskRow& row) { return row.name == name; });
  return found == kTasks.end() ? nullptr : &*found;
}

// 1-based; equal values share the mean of their ranks.
std::vector<double> ranks(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> result(values.size());
  for (size_t first = 0; first < order.size();) {
    size_t last = first + 1;
    while (last < order.size() && values[order[last]] == values[order[first]]) ++last;
    const double shared = (static_cast<double>(first + last) + 1) / 2;
    for (; first < last; ++first) result[order[first]] = shared;
  }
  return result;
}

}  // namespace

TaskSpec parse_task_spec(const std::string& text, const std::string& option) {
  const size_t colon = text.find(':');
  const TaskRow* row = find_task(std::string_view(text).substr(0, colon));
  if (row == nullptr || colon == std::string::npos || colon + 1 == text.size()) {
    fail(Errc::usage, message(option, ": \"", printable(text), "\" is not TASK:FILE with a known task; there are ",
                              task_spec_help()));
  }
  return {std::string(row->name), text.substr(colon + 1)};
}

std::string task_spec_help() {
  std::string text;
  for (const TaskRow& row : kTasks) {
    text +=
        message(text.empty() ? "" : ", ", row.name, ":FILE with ", row.read == nullptr ? "" : "lines of ", row.format);
  }
  return text;
}

void check_task_fits(const TaskSpec& spec, const Task& model_task, const std::string& model) {
  const TaskRow* row = find_task(spec.task);
  if (row == nullptr) fail(Errc::usage, message("there is no task \"", printable(spec.task), "\""));
  if (row->model_kind != model_task.kind) {
    fail(Errc::usage, message(spec.task, ":", spec.file, " judges models for ", row->model_kind, ", but ", model,
                              " is for ", printable(model_task.kind)));
  }
}

LabelledTask read_task(const TaskSpec& spec, const Task& model_task, const std::string& model) {
  check_task_fits(spec, model_task, model);
  return read_task(spec, TextFile(spec.file), model_task, model);
}

LabelledTask read_task(const TaskSpec& spec, const TextFile& file, const Task& model_task, const std::string& model) {
  check_task_fits(spec, model_task, model);
  const TaskRow* row = find_task(spec.task);
  if (row->read == nullptr) fail(Errc::internal, message("the task ", spec.task, " has no labels"));
  return row->read(file, model_task);
}

StsData read_sts(const TextFile& file) {
  StsData data;
  data.path = file.path();
  std::unordered_map<std::string, uint32_t> known;
  const auto text_id = [&](std::string_view text) {
    const auto [at, is_new] = known.emplace(text, static_cast<uint32_t>(data.texts.size()));
    if (is_new) data.texts.emplace_back(text);
    return at->second;
  };
  for_each_line(file, [&](size_t number, std::string_view line) {
    const std::string where = message(data.path, ": line ", number);
    const size_t first = line.find('\t');
    const size_t second = first == std::string_view::npos ? first : line.find('\t', first + 1);
    if (second == std::string_view::npos || line.find('\t', second + 1) != std::string_view::npos) {
      fail(Errc::malformed, message(where, ": has ", std::count(line.begin(), line.end(), '\t') + 1,
                                    " fields between tabs, expected 3: text_a, text_b, score"));
    }
    const std::string_view a = line.substr(0, first);
    const std::string_view b = line.substr(first + 1, second - first - 1);
    if (a.empty() || b.empty())
      fail(Errc::malformed, message(where, ": ", a.empty() ? "text_a" : "text_b", " is empty"));
    const double score = parse_score(line.substr(second + 1), where);
    const uint32_t a_id = text_id(a);
    data.pairs.push_back({a_id, text_id(b), score});
  });
  const bool differ = std::any_of(data.pairs.begin(), data.pairs.end(),
                                  [&](const StsData::Pair& pair) { return pair.score != data.pairs[0].score; });
  if (!differ) {
    fail(Errc::malformed,
         message(data.path, ": ", data.pairs.size(), " pairs, expected at least 2 with different scores"));
  }
  return data;
}

StsData read_sts(const std::filesystem::path& path) { return read_sts(TextFile(path)); }

TaskResult evaluate_sts(const StsData& data, const std::vector<float>& embeddings, size_t dimension) {
  if (embeddings.size() != data.texts.size() * dimension) {
    fail(Errc::usage, message("there are ", embeddings.size(), " numbers for ", data.texts.size(), " texts of ",
                              dimension, " each"));
  }
  check_finite(embeddings, dimension);
  std::vector<double> cosines, scores;
  for (const StsData::Pair& pair : data.pairs) {
    cosines.push_back(cosine(&embeddings[pair.a * dimension], &embeddings[pair.b * dimension], dimension));
    scores.push_back(pair.score);
  }
  return {"sts",
          file_name(data.path),
          data.pairs.size(),
          "pairs",
          {{"pearson", "Pearson", pearson(cosines, scores)}, {"spearman", "Spearman", spearman(cosines, scores)}}};
}

TaskResult evaluate_classification(const ClassificationData& data, const std::vector<float>& logits, size_t dimension) {
  if (logits.size() != data.texts.size() * dimension || dimension != data.labels.size()) {
    fail(Errc::usage, message("there are ", logits.size(), " numbers for ", data.texts.size(), " texts and ",
                              data.labels.size(), " labels"));
  }
  check_finite(logits, dimension);
  std::vector<LabelCounts> counts(dimension);
  uint64_t right = 0;
  for (size_t i = 0; i < data.texts.size(); ++i) {
    const size_t predicted = largest(&logits[i * dimension], dimension);
    ++counts[data.truth[i]].truth;
    ++counts[predicted].predicted;
    if (predicted != data.truth[i]) continue;
    ++counts[predicted].both;
    ++right;
  }
  double f1_sum = 0;
  size_t occurring = 0;
  for (const LabelCounts& label : counts) {
    f1_sum += label.f1();
    occurring += label.occurs() ? 1 : 0;
  }
  const auto texts = static_cast<double>(data.texts.size());
  TaskResult result{"cls", file_name(data.path), data.texts.size(), "texts", {}};
  result.metrics.push_back({"accuracy", "Accuracy", static_cast<double>(right) / texts});
  if (dimension == 2) result.metrics.push_back({"f1", "F1 of " + data.labels[1], counts[1].f1()});
  result.metrics.push_back({"macro_f1", "Macro F1", f1_sum / static_cast<double>(occurring)});
  return result;
}

FidelityResult fidelity(const std::vector<float>& original, const std::vector<float>& compressed, size_t dimension,
                        bool classifies) {
  if (original.size() != compressed.size() || original.empty() || original.size() % dimension != 0) {
    fail(Errc::usage, message("embeddings of ", original.size(), " and ", compressed.size(),
                              " numbers are not as many rows of ", dimension));
  }
  check_finite(original, dimension);
  check_finite(compressed, dimension);
  std::vector<double> cosines;
  uint64_t same_label = 0;
  for (size_t at = 0; at < original.size(); at += dimension) {
    cosines.push_back(cosine(&original[at], &compressed[at], dimension));
    same_label += largest(&original[at], dimension) == largest(&compressed[at], dimension) ? 1 : 0;
  }
  std::sort(cosines.begin(), cosines.end());
  const size_t texts = cosines.size();
  const double sum = std::accumulate(cosines.begin(), cosines.end(), 0.0);
  const auto fifth = static_cast<size_t>(std::ceil(0.05 * static_cast<double>(texts))) - 1;
  FidelityResult result{texts, sum / static_cast<double>(texts), cosines.front(), cosines[fifth], std::nullopt};
  if (classifies) result.agreement = static_cast<double>(same_label) / static_cast<double>(texts);
  return result;
}

size_t largest(const float* values, size_t count) {
  return static_cast<size_t>(std::max_element(values, values + count) - values);
}

double pearson(const std::vector<double>& x, const std::vector<double>& y) {
  if (x.size() != y.size() || x.empty()) {
    fail(Errc::usage, message("cannot correlate ", x.size(), " with ", y.size(), " numbers"));
  }
  const auto count = static_cast<double>(x.size());
  const double x_mean = std::accumulate(x.begin(), x.end(), 0.0) / count;
  const double y_mean = std::accumulate(y.begin(), y.end(), 0.0) / count;
  double product = 0, x_squares = 0, y_squares = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    product += (x[i] - x_mean) * (y[i] - y_mean);
    x_squares += (x[i] - x_mean) * (x[i] - x_mean);
    y_squares += (y[i] - y_mean) * (y[i] - y_mean);
  }
  // A model that gives every pair the same cosine knows nothing of the scores.
  if (x_squares == 0 || y_squares == 0) return 0;
  return product / std::sqrt(x_squares * y_squares);
}

double spearman(const std::vector<double>& x, const std::vector<double>& y) { return pearson(ranks(x), ranks(y)); }

}  // namespace lathe
