#include "compress/benchmark.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <numeric>

namespace lathe {
namespace {

// In turns of several models, each model runs so often before the next one.
constexpr uint32_t kRunsPerTurn = 5;

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

  void run_untimed() { session_.embed(tokens_); }

  void run_timed() {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point begin = Clock::now();
    session_.embed(tokens_);
    const double ms = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
    milliseconds_.push_back(ms);
    total_ms_ += ms;
  }

  size_t runs() const { return milliseconds_.size(); }
  double total_ms() const { return total_ms_; }

  SpeedCase result(uint32_t batch, uint32_t length) {
    std::sort(milliseconds_.begin(), milliseconds_.end());
    SpeedCase speed;
    speed.batch = batch;
    speed.length = length;
    speed.threads = static_cast<uint32_t>(session_.threads());
    speed.runs = static_cast<uint32_t>(milliseconds_.size());
    speed.p50_ms = percentile(50);
    speed.p90_ms = percentile(90);
    speed.p99_ms = percentile(99);
    speed.tokens_per_second = static_cast<double>(tokens_.tokens()) / speed.p50_ms * 1000;
    return speed;
  }

 private:
  // The smallest measured time that `percent` % of the runs do not exceed.
  double percentile(size_t percent) const { return milliseconds_[ceil_div(milliseconds_.size() * percent, 100) - 1]; }

  TokenBatch tokens_;
  Session session_;
  std::vector<double> milliseconds_;
  double total_ms_ = 0;
};

// All have the same number of runs, so that each meets the machine's good and bad moments equally often; the time is
// the mean of theirs, or a fast model would make a slow one run for minutes.
bool is_enough(const std::vector<std::unique_ptr<Contestant>>& contestants, const BenchmarkOptions& options) {
  const size_t runs = contestants.front()->runs();
  const double total_ms = std::accumulate(contestants.begin(), contestants.end(), 0.0,
                                          [](double sum, const auto& one) { return sum + one->total_ms(); });
  const double wanted_ms = options.min_seconds * 1000 * static_cast<double>(contestants.size());
  return runs >= options.max_runs || (runs >= options.min_runs && total_ms >= wanted_ms);
}

}  // namespace

SpeedCase measure_speed(const Model& model, uint32_t batch, uint32_t length, uint32_t threads,
                        const BenchmarkOptions& options) {
  return measure_interleaved({&model}, batch, length, threads, options).front();
}

std::vector<SpeedCase> measure_interleaved(const std::vector<const Model*>& models, uint32_t batch, uint32_t length,
                                           uint32_t threads, const BenchmarkOptions& options) {
  if (models.empty()) return {};
  if (batch == 0 || length == 0 || options.max_runs == 0) {
    fail(Errc::usage,
         message("batch ", batch, ", length ", length, " and runs ", options.max_runs, " must be at least 1"));
  }
  std::vector<std::unique_ptr<Contestant>> contestants;
  for (const Model* model : models) {
    contestants.push_back(std::make_unique<Contestant>(*model, batch, length, threads));
    for (uint32_t i = 0; i < options.warmups; ++i) contestants.back()->run_untimed();
  }
  while (!is_enough(contestants, options)) {
    for (const auto& contestant : contestants) {
      // The model before it has filled the caches and may still hold a core for a moment: that is not this one's time.
      if (contestants.size() > 1) contestant->run_untimed();
      const size_t wanted = std::min<size_t>(contestant->runs() + kRunsPerTurn, options.max_runs);
      while (contestant->runs() < wanted) contestant->run_timed();
    }
  }
  std::vector<SpeedCase> results;
  for (const auto& contestant : contestants) results.push_back(contestant->result(batch, length));
  return results;
}

}  // namespace lathe
