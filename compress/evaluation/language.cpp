#include "compress/evaluation/language.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "compress/evaluation/eval_task.h"
#include "compress/evaluation/fidelity.h"
#include "runtime/generation.h"
#include "runtime/threads.h"

namespace lathe {
namespace {

constexpr uint32_t kDefaultLength = 512;

size_t vocabulary_of(const Session& session) {
  const Program& program = session.model().program();
  if (!is_generator(program)) fail(Errc::usage, "the model does not predict text: perplexity needs a decoder");
  return program.values[program.outputs[0]].shape.size();
}

// Logits of every token of one window, in memory that is used again.
class WindowLogits {
 public:
  explicit WindowLogits(Session& session) : session_(session), width_(vocabulary_of(session)) {}

  void run(std::span<const int32_t> window) {
    TokenBatch batch;
    batch.add(window);
    logits_.resize(window.size() * width_);
    float* out = logits_.data();
    session_.run(batch, {}, {&out, 1});
  }

  std::span<const float> row(size_t token) const { return std::span(logits_).subspan(token * width_, width_); }
  size_t width() const { return width_; }

 private:
  Session& session_;
  size_t width_;
  std::vector<float> logits_;
};

struct Softmax {
  double log_sum = 0;  // of exp(logit)
  size_t top = 0;      // index of the largest logit, the first one of equals
};

Softmax softmax_of(std::span<const float> logits) {
  Softmax result;
  result.top = largest(logits.data(), logits.size());
  const float highest = logits[result.top];
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - highest);
  result.log_sum = highest + std::log(sum);
  return result;
}

// KL(p || q) = sum of p (a - b) - log sum exp a + log sum exp b, with the logits a of p and b of q.
double divergence(std::span<const float> a, std::span<const float> b, const Softmax& p, const Softmax& q) {
  const float highest = a[p.top];
  double sum = 0, weighted = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double weight = std::exp(a[i] - highest);
    sum += weight;
    weighted += weight * (static_cast<double>(a[i]) - b[i]);
  }
  return std::max(0.0, weighted / sum - p.log_sum + q.log_sum);  // rounding may fall below zero
}

float loss_of(std::span<const float> logits, const Softmax& softmax, int32_t target) {
  const double loss = softmax.log_sum - logits[static_cast<size_t>(target)];
  if (!std::isfinite(loss)) fail(Errc::malformed, "logits are not finite: the weights overflow");
  return static_cast<float>(loss);
}

double mean(const std::vector<float>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// Standard error of the mean of `count` numbers.
template <class At>
double error_of_mean(size_t count, const At& at) {
  if (count < 2) return 0;
  double sum = 0;
  for (size_t i = 0; i < count; ++i) sum += at(i);
  const double average = sum / static_cast<double>(count);
  double squares = 0;
  for (size_t i = 0; i < count; ++i) squares += (at(i) - average) * (at(i) - average);
  return std::sqrt(squares / static_cast<double>(count - 1) / static_cast<double>(count));
}

// Calls use(window, first) for each window, where `first` is the index of its first prediction.
template <class Use>
void for_each_window(const LanguageData& data, const char* stage, Progress& progress, const Use& use) {
  const TokenBatch& windows = data.windows;
  progress.stage(stage, windows.sequences());
  size_t first = 0;
  for (size_t i = 0; i < windows.sequences(); ++i) {
    if (progress.cancelled()) fail(Errc::interrupted, "stopped while measuring perplexity");
    const auto window = std::span(windows.ids).subspan(windows.starts[i], windows.length(i));
    use(window, first);
    first += window.size() - 1;
    progress.advance(i + 1);
  }
}

size_t predictions_in(const LanguageData& data) { return data.windows.tokens() - data.windows.sequences(); }

}  // namespace

const EvalTask kLanguageEval = {"lm", "text", kGenerationTask, nullptr};

WindowOptions window_options(uint64_t length, uint64_t windows, const Task& task) {
  const uint64_t most = task.context == 0 ? UINT32_MAX : task.context;
  if (length == 0) length = std::min<uint64_t>(kDefaultLength, most);
  if (length < 2 || length > most) {
    fail(Errc::usage, message("windows of ", length, " tokens: must be in [2, ", most,
                              task.context == 0 ? "]" : "], which is what the model was made for"));
  }
  return {static_cast<uint32_t>(length), static_cast<uint32_t>(std::min<uint64_t>(windows, UINT32_MAX))};
}

LanguageData read_language_data(const TextFile& file, const Tokenizer& tokenizer, const WindowOptions& options) {
  const std::vector<int32_t> ids = tokenizer.encode_special(read_text(file));
  size_t windows = ids.size() / options.length;
  if (windows == 0) {
    fail(Errc::malformed,
         message(file.path(), ": has ", ids.size(), " tokens, needs at least ", options.length, " for one window"));
  }
  if (options.windows != 0) windows = std::min<size_t>(windows, options.windows);
  LanguageData data{file.path(), options.length, {}};
  for (size_t i = 0; i < windows; ++i) {
    data.windows.add(std::span(ids).subspan(i * options.length, options.length));
  }
  return data;
}

LanguageData read_language_data(const std::filesystem::path& path, const Tokenizer& tokenizer,
                                const WindowOptions& options) {
  return read_language_data(TextFile(path), tokenizer, options);
}

double TokenLosses::perplexity() const { return std::exp(mean(losses)); }

double TokenLosses::standard_error() const {
  return perplexity() * error_of_mean(losses.size(), [&](size_t i) { return static_cast<double>(losses[i]); });
}

EvalResult language_result(const LanguageData& data, const TokenLosses& losses) {
  EvalMetric metric{"perplexity", "Perplexity", losses.perplexity()};
  metric.decimals = 3;
  metric.lower_is_better = true;
  metric.standard_error = losses.standard_error();
  return {"lm", std::filesystem::path(data.path).filename().string(), losses.losses.size(), "tokens", {metric}};
}

PredictionResult LanguageFidelity::result() const {
  PredictionResult result;
  result.tokens = original.losses.size();
  result.mean_kl = mean_kl;
  result.p99_kl = p99_kl;
  result.same_top = same_top;
  result.log_ratio = mean(compressed.losses) - mean(original.losses);
  result.log_ratio_error = ratio_error;
  return result;
}

TokenLosses token_losses(Session& session, const LanguageData& data, Progress& progress) {
  WindowLogits logits(session);
  ThreadPool pool(session.threads());
  TokenLosses result;
  result.losses.resize(predictions_in(data));
  for_each_window(data, "measure perplexity", progress, [&](std::span<const int32_t> window, size_t first) {
    logits.run(window);
    pool.parallel_for(window.size() - 1, [&](size_t i, size_t) {
      result.losses[first + i] = loss_of(logits.row(i), softmax_of(logits.row(i)), window[i + 1]);
    });
  });
  return result;
}

LanguageFidelity compare_language(Session& original, Session& compressed, const LanguageData& data,
                                  Progress& progress) {
  WindowLogits before(original), after(compressed);
  if (before.width() != after.width()) {
    fail(Errc::usage, message("the models have vocabularies of ", before.width(), " and ", after.width(), " tokens"));
  }
  ThreadPool pool(original.threads());
  const size_t count = predictions_in(data);
  LanguageFidelity result;
  result.original.losses.resize(count);
  result.compressed.losses.resize(count);
  std::vector<double> kl(count);
  std::vector<uint8_t> same(count);
  for_each_window(data, "compare predictions", progress, [&](std::span<const int32_t> window, size_t first) {
    before.run(window);
    after.run(window);
    pool.parallel_for(window.size() - 1, [&](size_t i, size_t) {
      const Softmax p = softmax_of(before.row(i)), q = softmax_of(after.row(i));
      result.original.losses[first + i] = loss_of(before.row(i), p, window[i + 1]);
      result.compressed.losses[first + i] = loss_of(after.row(i), q, window[i + 1]);
      kl[first + i] = divergence(before.row(i), after.row(i), p, q);
      same[first + i] = p.top == q.top ? 1 : 0;
    });
  });
  const auto places = static_cast<double>(count);
  result.ratio_error = error_of_mean(
      count, [&](size_t i) { return static_cast<double>(result.compressed.losses[i]) - result.original.losses[i]; });
  result.mean_kl = std::accumulate(kl.begin(), kl.end(), 0.0) / places;
  result.same_top = static_cast<double>(std::accumulate(same.begin(), same.end(), uint64_t{0})) / places;
  std::sort(kl.begin(), kl.end());
  result.p99_kl = kl[static_cast<size_t>(std::ceil(0.99 * places)) - 1];
  return result;
}

}  // namespace lathe
