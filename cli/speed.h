#pragma once
// What several commands share about speed: the cases, and measuring several files in turns.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/options.h"
#include "compress/evaluation/benchmark.h"
#include "compress/evaluation/describe.h"
#include "compress/job/progress.h"

namespace lathe::cli {

/// Every combination of the lists is a case. An empty list stands for the default of the kind of model.
struct SpeedGrid {
  std::vector<uint32_t> batches;
  std::vector<uint32_t> default_batches = {1, 8, 32};  // of encoders; of decoders it is 1
  std::vector<uint32_t> lengths;                       // of encoders: 16 and 128, as far as the models take them
  std::vector<uint32_t> prompts;        // of decoders: 128 and 512, as far as the models take them; 0: none
  std::vector<uint32_t> generated;      // of decoders, tokens one by one: 64; 0: none
  uint64_t depth = 0;                   // of decoders: tokens in the cache before those that are timed
  std::optional<CacheType> cache;       // of decoders; absent: f16
  std::vector<uint32_t> threads = {0};  // 0: all cores
  uint64_t runs = 0;                    // of each case; 0: as many as a second takes, at least 20 (of decoders 5)
  DeviceRequest device;
};

/// --batch, --length, --prompt, --generate, --depth, --cache, --threads, --runs.
void add_speed_options(Options& options, SpeedGrid& grid);

/// Measures the models in turns. The result has one list for each model, with the same cases in the same order. Throws
/// Error{interrupted} when `progress` is cancelled between cases, and Error{usage} when a length is beyond a model's
/// maximum, when an option does not apply to these models, or when only some of them are decoders.
std::vector<std::vector<SpeedCase>> measure_grid(const std::vector<const Model*>& models, const SpeedGrid& grid,
                                                 Progress& progress);

/// The largest resident set, in bytes, of a separate process that opens the artifact and runs the largest case.
uint64_t peak_memory_of(const std::filesystem::path& artifact, const SpeedGrid& grid);

}  // namespace lathe::cli
