#include "compress/evaluation/benchmark.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <numeric>

#include "runtime/generation.h"

namespace lathe {
namespace {

TokenBatch spread_tokens(const Model& model, uint32_t batch, uint32_t length) {
  const uint64_t vocabulary = std::min<uint64_t>(model.vocabulary_size(), INT32_MAX);
  uint64_t state = 0x9e3779b97f4a7c15;
  TokenBatch result;
  std::vector<int32_t> ids(length);
  for (uint32_t sequence = 0; sequence < batch; ++sequence) {
    for (int32_t& id : ids) {
      state = state * 6364136223846793005 + 1442695040888963407;
      id = static_cast<int32_t>((state >> 33) % vocabulary);
    }
    result.add(ids);
  }
  return result;
}

// One model's session and what was measured of it.
class Contestant {
 public:
  Contestant(const Model& model, uint32_t batch, uint32_t length, uint32_t threads)
      : tokens_(spread_tokens(model, batch, length)), session_(model, threads) {}
  virtual ~Contestant() = default;

  /// Once through everything that is timed.
  virtual void run() = 0;
  /// What is special about the case.
  virtual void label(SpeedCase&) const {}

  void run_timed() {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point begin = Clock::now();
    run();
    const double ms = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
    milliseconds_.push_back(ms);
    total_ms_ += ms;
  }

  size_t runs() const { return milliseconds_.size(); }
  double total_ms() const { return total_ms_; }

  SpeedCase result() {
    std::sort(milliseconds_.begin(), milliseconds_.end());
    SpeedCase speed;
    speed.batch = static_cast<uint32_t>(tokens_.sequences());
    speed.length = static_cast<uint32_t>(tokens_.length(0));
    speed.threads = static_cast<uint32_t>(session_.threads());
    speed.runs = static_cast<uint32_t>(milliseconds_.size());
    speed.p50_ms = percentile(50);
    speed.p90_ms = percentile(90);
    speed.p99_ms = percentile(99);
    speed.tokens_per_second = static_cast<double>(tokens_.tokens()) / speed.p50_ms * 1000;
    label(speed);
    return speed;
  }

 protected:
  TokenBatch tokens_;
  Session session_;

 private:
  // The smallest measured time that `percent` % of the runs do not exceed.
  double percentile(size_t percent) const { return milliseconds_[ceil_div(milliseconds_.size() * percent, 100) - 1]; }

  std::vector<double> milliseconds_;
  double total_ms_ = 0;
};

class ForwardContestant : public Contestant {
 public:
  using Contestant::Contestant;
  void run() override { session_.embed(tokens_); }
};

// A decoder with a cache; runs begin with what the cache holds at first.
class DecoderContestant : public Contestant {
 public:
  DecoderContestant(const Model& model, const DecoderCase& what, uint32_t threads)
      : Contestant(model, what.batch, what.tokens, threads),
        case_(what),
        cache_(model, what.batch, size_t{what.depth} + what.tokens, what.cache),
        logits_(what.batch * size_t{model.program().values[model.program().outputs[0]].shape.size()}) {
    if (what.kind == SpeedKind::decode) steps_ = columns();
    if (what.depth > 0) add(spread_tokens(model, what.batch, what.depth));
  }

  void run() override {
    for (size_t i = 0; i < cache_.sequences(); ++i) cache_.truncate(i, case_.depth);
    if (case_.kind == SpeedKind::prefill) return add(tokens_);
    for (const TokenBatch& step : steps_) add(step);
  }

  void label(SpeedCase& speed) const override {
    speed.kind = case_.kind;
    speed.depth = case_.depth;
    speed.cache_bytes = cache_.bytes();
    speed.cache = kCacheTypes.name(case_.cache);
  }

 private:
  void add(const TokenBatch& batch) {
    float* out = logits_.data();
    RunOptions options;
    options.cache = &cache_;
    options.last_only = true;
    session_.run(batch, {}, {&out, 1}, options);
  }

  // One batch for each place: the tokens of all sequences there.
  std::vector<TokenBatch> columns() const {
    std::vector<TokenBatch> steps(tokens_.length(0));
    for (size_t place = 0; place < steps.size(); ++place) {
      for (size_t i = 0; i < tokens_.sequences(); ++i) {
        steps[place].add(std::span(tokens_.ids).subspan(tokens_.starts[i] + place, 1));
      }
    }
    return steps;
  }

  DecoderCase case_;
  KvCache cache_;
  std::vector<float> logits_;
  std::vector<TokenBatch> steps_;
};

using Contestants = std::vector<std::unique_ptr<Contestant>>;

// All have the same number of runs, so that each meets the machine's good and bad moments equally often; the time is
// the mean of theirs, or a fast model would make a slow one run for minutes.
bool is_enough(const Contestants& contestants, const BenchmarkOptions& options) {
  const size_t runs = contestants.front()->runs();
  const double total_ms = std::accumulate(contestants.begin(), contestants.end(), 0.0,
                                          [](double sum, const auto& one) { return sum + one->total_ms(); });
  const double wanted_ms = options.min_seconds * 1000 * static_cast<double>(contestants.size());
  return runs >= options.max_runs || (runs >= options.min_runs && total_ms >= wanted_ms);
}

std::vector<SpeedCase> measure(const Contestants& contestants, const BenchmarkOptions& options) {
  for (const auto& contestant : contestants) {
    for (uint32_t i = 0; i < options.warmups; ++i) contestant->run();
  }
  while (!is_enough(contestants, options)) {
    for (const auto& contestant : contestants) {
      // The model before it has filled the caches and may still hold a core for a moment: that is not this one's time.
      if (contestants.size() > 1 && options.warm_turns) contestant->run();
      const size_t wanted = std::min<size_t>(contestant->runs() + options.runs_per_turn, options.max_runs);
      while (contestant->runs() < wanted) contestant->run_timed();
    }
  }
  std::vector<SpeedCase> results;
  for (const auto& contestant : contestants) results.push_back(contestant->result());
  return results;
}

void check(uint64_t batch, uint64_t length, const BenchmarkOptions& options) {
  if (batch != 0 && length != 0 && options.max_runs != 0 && options.runs_per_turn != 0) return;
  fail(Errc::usage,
       message("batch ", batch, ", length ", length, " and runs ", options.max_runs, " must be at least 1"));
}

void check_decoder(const Model& model, const DecoderCase& what) {
  if (!is_generator(model.program())) fail(Errc::usage, "the model does not generate text");
  const uint64_t tokens = uint64_t{what.depth} + what.tokens;
  if (tokens > model.max_tokens()) {
    fail(Errc::usage, message(tokens, " tokens: the model takes at most ", model.max_tokens()));
  }
}

}  // namespace

SpeedCase measure_speed(const Model& model, uint32_t batch, uint32_t length, uint32_t threads,
                        const BenchmarkOptions& options) {
  return measure_interleaved({&model}, batch, length, threads, options).front();
}

std::vector<SpeedCase> measure_interleaved(const std::vector<const Model*>& models, uint32_t batch, uint32_t length,
                                           uint32_t threads, const BenchmarkOptions& options) {
  if (models.empty()) return {};
  check(batch, length, options);
  Contestants contestants;
  for (const Model* model : models) {
    contestants.push_back(std::make_unique<ForwardContestant>(*model, batch, length, threads));
  }
  return measure(contestants, options);
}

std::vector<SpeedCase> measure_decoders(const std::vector<const Model*>& models, const DecoderCase& what,
                                        uint32_t threads, const BenchmarkOptions& options) {
  if (models.empty()) return {};
  check(what.batch, what.tokens, options);
  Contestants contestants;
  for (const Model* model : models) {
    check_decoder(*model, what);
    contestants.push_back(std::make_unique<DecoderContestant>(*model, what, threads));
  }
  return measure(contestants, options);
}

}  // namespace lathe
