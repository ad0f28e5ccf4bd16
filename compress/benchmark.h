#pragma once
// Speed of a model in this process.

#include <vector>

#include "compress/report.h"
#include "runtime/session.h"

namespace lathe {

struct BenchmarkOptions {
  uint32_t warmups = 5;
  uint32_t min_runs = 20;
  double min_seconds = 1.0;  // of timed runs per case
  uint32_t max_runs = 2000;
};

/// batch x length tokens with ids spread over the vocabulary, one forward pass a run.
SpeedCase measure_speed(const Model& model, uint32_t batch, uint32_t length, uint32_t threads,
                        const BenchmarkOptions& options);
/// Several models in turn, A B A B, so that drift of the machine hits all alike; one case for each model.
std::vector<SpeedCase> measure_interleaved(const std::vector<const Model*>& models, uint32_t batch, uint32_t length,
                                           uint32_t threads, const BenchmarkOptions& options);

}  // namespace lathe
