#include "compress/evaluation/sts.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <string_view>
#include <unordered_map>

#include "compress/evaluation/eval_task.h"
#include "compress/evaluation/fidelity.h"
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

LabelledTexts read_task(const TextFile& file, const Task&) {
  StsData data = read_sts(file);
  std::vector<std::string> texts = data.texts;
  return {std::move(texts), [data = std::move(data)](const std::vector<float>& embeddings, size_t dimension) {
            return evaluate_sts(data, embeddings, dimension);
          }};
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

const EvalTask kStsEval = {"sts", "text_a TAB text_b TAB score", kEmbeddingTask, read_task};

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

EvalResult evaluate_sts(const StsData& data, const std::vector<float>& embeddings, size_t dimension) {
  if (embeddings.size() != data.texts.size() * dimension) {
    fail(Errc::usage, message("there are ", embeddings.size(), " numbers for ", data.texts.size(), " texts of ",
                              dimension, " each"));
  }
  check_finite_outputs(embeddings, dimension);
  std::vector<double> cosines, scores;
  for (const StsData::Pair& pair : data.pairs) {
    cosines.push_back(cosine(&embeddings[pair.a * dimension], &embeddings[pair.b * dimension], dimension));
    scores.push_back(pair.score);
  }
  return {"sts",
          std::filesystem::path(data.path).filename().string(),
          data.pairs.size(),
          "pairs",
          {{"pearson", "Pearson", pearson(cosines, scores)}, {"spearman", "Spearman", spearman(cosines, scores)}}};
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
