#pragma once
// Speed of a model in this process.

#include <vector>

#include "compress/facts/measurements.h"
#include "runtime/kv_cache.h"
#include "runtime/session.h"

namespace lathe {

struct BenchmarkOptions {
  uint32_t warmups = 5;
  uint32_t min_runs = 20;
  double min_seconds = 1.0;  // of timed runs per case
  uint32_t max_runs = 2000;
  uint32_t runs_per_turn = 5;  // of one of several models before the next one
  bool warm_turns = true;      // each turn begins with a run that does not count
};

/// For decoders, whose runs take long enough to need fewer of them.
inline constexpr BenchmarkOptions kDecoderBenchmark = {1, 5, 1.0, 200, 1, false};

/// batch x length tokens with ids spread over the vocabulary, one forward pass a run.
SpeedCase measure_speed(const Model& model, uint32_t batch, uint32_t length, uint32_t threads,
                        const BenchmarkOptions& options);
/// Several models in turn, A B A B, so that drift of the machine hits all alike; one case for each model.
std::vector<SpeedCase> measure_interleaved(const std::vector<const Model*>& models, uint32_t batch, uint32_t length,
                                           uint32_t threads, const BenchmarkOptions& options);

/// What a decoder is timed at, see SpeedKind; neither tokenization nor the choice of tokens is part of it.
struct DecoderCase {
  SpeedKind kind = SpeedKind::prefill;
  uint32_t tokens = 128;  // of the prompt, or those that are added one by one, each of them a step of its own
  uint32_t depth = 0;     // of decode: tokens in the cache before them
  uint32_t batch = 1;     // sequences that are run together
  CacheType cache = CacheType::f16;
};
/// Times decoders in turn, one case for each model. Throws Error{usage} for a model that does not generate, or when a
/// sequence would be longer than the model takes.
std::vector<SpeedCase> measure_decoders(const std::vector<const Model*>& models, const DecoderCase& what,
                                        uint32_t threads, const BenchmarkOptions& options);

}  // namespace lathe
