#pragma once
// What was measured of a model: its results in tasks, its distance from the original, its speed, its training.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lathe {

/// One figure of accuracy.
struct EvalMetric {
  std::string key;   // in JSON: "pearson"
  std::string name;  // for people: "Pearson"
  double value = 0;
  int decimals = 4;
  bool lower_is_better = false;
  double standard_error = 0;  // 0 where it is not known
};

/// How well a model does a task.
struct EvalResult {
  std::string task;  // "sts", "cls", "lm"
  std::string file;
  uint64_t items = 0;
  std::string unit;                 // of the items: "pairs", "texts", "tokens"
  std::vector<EvalMetric> metrics;  // at least one; the first is what gates and charts use

  const EvalMetric& main() const { return metrics.front(); }
};

/// How close the outputs of a model are to those of the original: the cosine between the two outputs for each text.
struct FidelityResult {
  uint64_t texts = 0;
  double mean = 0;
  double minimum = 0;
  double p05 = 0;                   // 5 % of the texts are at or below it
  std::optional<double> agreement;  // of classifiers: the share of texts with the same label
};

/// How far the predictions of a decoder are from those of the original, at the same places of the same text.
struct PredictionResult {
  uint64_t tokens = 0;         // places where the next token was predicted
  double mean_kl = 0;          // KL(original || this) of the distributions of the next token, in nats
  double p99_kl = 0;           // 99 % of the places are at or below it
  double same_top = 0;         // share of the places with the same most probable token
  double log_ratio = 0;        // natural logarithm of this perplexity divided by the original's
  double log_ratio_error = 0;  // its standard error, from the differences token by token
};

/// What is timed: a forward pass of an encoder; a decoder reading a prompt, which ends with the logits after its last
/// token (the time to the first token); or a decoder adding tokens one by one after `depth` others.
enum class SpeedKind : uint8_t { forward, prefill, decode };

/// One case of speed, and the times that were measured for it.
struct SpeedCase {
  uint32_t batch = 0;
  uint32_t length = 0;  // tokens of each sequence that one run works on
  uint32_t threads = 0;
  uint32_t runs = 0;
  double p50_ms = 0;
  double p90_ms = 0;
  double p99_ms = 0;
  double tokens_per_second = 0;  // at the median time
  SpeedKind kind = SpeedKind::forward;
  uint32_t depth = 0;        // tokens in the cache before the first one that is timed
  uint64_t cache_bytes = 0;  // memory of keys and values; 0 without a cache
  std::string cache = {};    // how keys and values are kept: "f16", "int8"
};

/// One look at the part of the data that is held out of the training.
struct CurvePoint {
  uint64_t step = 0;
  double train_loss = 0;  // mean over the steps since the point before
  double held_out_loss = 0;
  double measure = 0;
};

/// How one stage of training went.
struct TrainingCurve {
  std::string stage;               // "distillation", "block reconstruction of encoder.layer.1.output.LayerNorm"
  std::string measure_name;        // what CurvePoint::measure is: "cosine", "accuracy", "relative error"
  std::vector<CurvePoint> points;  // the first one is from before the first step
  uint64_t steps = 0;
  uint64_t tokens = 0;
  double seconds = 0;
  uint64_t best_step = 0;  // the step whose weights were kept
  std::string outcome;     // one sentence: why the stage ended, and what was kept
};

}  // namespace lathe
