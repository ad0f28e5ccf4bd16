#pragma once
// The proof: the written file is opened by the runtime that will serve it, beside the original.

#include <filesystem>
#include <optional>
#include <string>

#include "compress/evaluation/proof.h"
#include "compress/facts/compressed_model.h"
#include "compress/facts/report_facts.h"
#include "compress/job/progress.h"

namespace lathe {

struct VerifyOptions {
  bool measure_speed = true;
  size_t threads = 0;           // 0: all cores
  Device device = Device::cpu;  // what runs both models
};

struct Gates {
  /// The largest loss of the task's main figure, or of the mean cosine where there is no task or where the original's
  /// figure is 0 and so shows nothing; of a decoder, the increase of perplexity as a share of the original's. Where the
  /// original's figure is negative (scores that are distances), a rise towards 0 is the loss.
  std::optional<double> max_drop;
  /// p50 of the original over p50 of the artifact, at 1 x 128 tokens (of a decoder, a prompt) or the most the model
  /// takes.
  std::optional<double> min_speedup;
  std::optional<uint64_t> max_size_bytes;
};

/// Opens `artifact`, checks every checksum, runs it and `source` on the texts of `proof`, and fills in a report of the
/// two. Throws Error{internal} when the file that was just written is not intact, and Error{io} when it is no longer
/// the file that `compressed` describes.
Report verify(const SourceModel& source, const CompressedModel& compressed, const std::filesystem::path& artifact,
              const Proof& proof, const VerifyOptions& options, Progress& progress);

/// Adds the gates to the report; false when one is missed. Throws Error{usage} when a gate needs a figure that was
/// not measured.
bool apply_gates(const Gates& gates, Report& report);

}  // namespace lathe
