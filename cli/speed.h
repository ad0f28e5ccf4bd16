#pragma once
// What several commands share about speed: which cases, and measuring several files in turn.

#include <filesystem>
#include <string>
#include <vector>

#include "cli/options.h"
#include "compress/benchmark.h"
#include "compress/measure.h"
#include "compress/progress.h"

namespace lathe::cli {

/// Every combination of the lists is a case.
struct SpeedGrid {
  std::vector<uint32_t> batches = {1, 8, 32};
  std::vector<uint32_t> lengths;        // empty: 16 and 128, as far as the models take them
  std::vector<uint32_t> threads = {0};  // 0: all cores
  uint64_t runs = 0;                    // of each case; 0: as many as a second takes, at least 20
};

/// --batch, --length, --threads, --runs.
void add_speed_options(Options& options, SpeedGrid& grid);

/// The cases of each model, in the same order for all, measured in turns. Between cases it asks `progress` whether to
/// go on and throws Error{interrupted} when not. Throws Error{usage} when a length is beyond a model's maximum.
std::vector<std::vector<SpeedCase>> measure_grid(const std::vector<const Model*>& models, const SpeedGrid& grid,
                                                 Progress& progress);

/// Largest resident set, in bytes, of a process of its own that opens the artifact and runs the largest case.
uint64_t peak_memory_of(const std::filesystem::path& artifact, const SpeedGrid& grid);

/// One SpeedCase as the JSON object that bench and reports use.
Json speed_json(const SpeedCase& speed);

}  // namespace lathe::cli
