#pragma once
// The proof: the written file is opened by the runtime that will serve it, beside the original.

#include <filesystem>
#include <optional>
#include <string>

#include "compress/evaluation/evaluate.h"
#include "compress/facts/compressed_model.h"
#include "compress/facts/report_facts.h"
#include "compress/job/progress.h"
#include "compress/pipeline/recipe.h"

namespace lathe {

struct VerifyOptions {
  std::optional<TaskSpec> task;
  std::string texts_file;    // texts for the fidelity; empty: those of the task, or what the calibration left over
  uint32_t first_texts = 0;  // only so many of them; 0: all, at most kMaxFidelityTexts
  uint32_t context = 0;      // of decoders, see window_options()
  uint32_t windows = 40;     // of decoders; 0: all of the text
  bool measure_speed = true;
  size_t threads = 0;
};
inline constexpr uint32_t kMaxFidelityTexts = 300;

struct Gates {
  /// Of the task's main figure, or of the mean cosine where there is no task; of a decoder, the increase of perplexity
  /// as a share of the original's.
  std::optional<double> max_drop;
  /// p50 of the original over p50 of the artifact, at 1 x 128 tokens (of a decoder, a prompt) or the most the model
  /// takes.
  std::optional<double> min_speedup;
  std::optional<uint64_t> max_size_bytes;
};

/// Opens `artifact`, checks every checksum, runs it and `source` on the same texts, and fills in a report of the two.
/// Throws Error{internal} when the file that was just written is not intact.
Report verify(const SourceModel& source, const Recipe& recipe, const CompressedModel& compressed,
              const std::filesystem::path& artifact, const VerifyOptions& options, Progress& progress);

/// Adds the gates to the report; false when one is missed. Throws Error{usage} when a gate needs a figure that was
/// not measured.
bool apply_gates(const Gates& gates, Report& report);

}  // namespace lathe
