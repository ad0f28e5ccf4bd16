#include "cli/speed.h"

#include <algorithm>

#include "cli/self_process.h"

namespace lathe::cli {
namespace {

constexpr uint32_t kMaxBatch = 65536;
constexpr uint32_t kMaxLength = 1u << 20;
constexpr uint32_t kMaxThreads = 1024;
constexpr uint64_t kMaxCaseTokens = uint64_t{1} << 24;
constexpr uint64_t kMaxRuns = 1'000'000;

std::vector<uint32_t> lengths_for(const std::vector<const Model*>& models, const SpeedGrid& grid) {
  if (!grid.lengths.empty()) return grid.lengths;
  size_t longest = SIZE_MAX;
  for (const Model* model : models) longest = std::min(longest, model->max_tokens());
  std::vector<uint32_t> lengths;
  for (const uint32_t length : {16u, 128u}) {
    const auto possible = static_cast<uint32_t>(std::min<size_t>(length, longest));
    if (lengths.empty() || lengths.back() != possible) lengths.push_back(possible);
  }
  return lengths;
}

BenchmarkOptions benchmark_options(const SpeedGrid& grid) {
  BenchmarkOptions options;
  if (grid.runs == 0) return options;
  options.min_runs = options.max_runs = static_cast<uint32_t>(grid.runs);
  options.warmups = std::min(options.warmups, options.min_runs);
  options.min_seconds = 0;
  return options;
}

}  // namespace

void add_speed_options(Options& options, SpeedGrid& grid) {
  std::string batches;
  for (const uint32_t batch : grid.batches) batches += (batches.empty() ? "" : ",") + std::to_string(batch);
  options.group("Cases; every combination is one")
      .integers("batch", "LIST", message("texts in a batch (default ", batches, ")"), 1, kMaxBatch, grid.batches)
      .integers("length", "LIST", "tokens in a text (default 16,128)", 1, kMaxLength, grid.lengths)
      .integers("threads", "LIST", "threads to use (default: all cores)", 1, kMaxThreads, grid.threads)
      .integer("runs", "N", "timed runs of each case (default: as many as a second takes, at least 20)", 1, kMaxRuns,
               grid.runs);
}

std::vector<std::vector<SpeedCase>> measure_grid(const std::vector<const Model*>& models, const SpeedGrid& grid,
                                                 Progress& progress) {
  const std::vector<uint32_t> lengths = lengths_for(models, grid);
  std::vector<std::vector<SpeedCase>> results(models.size());
  progress.stage("measure speed", grid.threads.size() * grid.batches.size() * lengths.size());
  uint64_t done = 0;
  for (const uint32_t threads : grid.threads) {
    for (const uint32_t batch : grid.batches) {
      for (const uint32_t length : lengths) {
        if (progress.cancelled()) fail(Errc::interrupted, "stopped while measuring speed");
        if (uint64_t{batch} * length > kMaxCaseTokens) {
          fail(Errc::usage,
               message("batch ", batch, " x length ", length, " is more than ", kMaxCaseTokens, " tokens"));
        }
        const auto cases = measure_interleaved(models, batch, length, threads, benchmark_options(grid));
        for (size_t i = 0; i < models.size(); ++i) results[i].push_back(cases[i]);
        progress.advance(++done);
      }
    }
  }
  return results;
}

uint64_t peak_memory_of(const std::filesystem::path& artifact, const SpeedGrid& grid) {
  const auto largest = [](const std::vector<uint32_t>& list) {
    return std::to_string(*std::max_element(list.begin(), list.end()));
  };
  // An absolute path: it cannot be taken for an option.
  std::vector<std::string> args = {"bench",   std::filesystem::absolute(artifact).string(),
                                   "--json",  "--quiet",
                                   "--runs",  "3",
                                   "--batch", largest(grid.batches)};
  if (!grid.lengths.empty()) args.insert(args.end(), {"--length", largest(grid.lengths)});
  if (*std::max_element(grid.threads.begin(), grid.threads.end()) > 0) {
    args.insert(args.end(), {"--threads", largest(grid.threads)});
  }
  const std::string what = "the output of compress bench";
  const Json report = parse_json(output_of_self(args), what);
  return report.at("models", what).items(what).at(0).at("peak_memory_bytes", what).as_u64(what);
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
  if (speed.peak_fraction > 0) out.set("peak_fraction", speed.peak_fraction);
  return out;
}

}  // namespace lathe::cli
