#pragma once
// The part of the proof that is special to decoders.

#include "compress/evaluation/language.h"
#include "compress/evaluation/verify.h"
#include "runtime/model.h"

namespace lathe {

/// Perplexity and predictions of both models on the text of the proof; made-up tokens give no perplexity. Fills in
/// models[0..1] of the report.
void verify_language(const Proof& proof, const Model& original, const Model& artifact, size_t threads, Report& report,
                     Progress& progress);

/// Speed of both at prompts of 128 and 512 tokens and at 64 tokens one by one, as far as the model takes them.
void measure_decoder_speeds(const SourceModel& source, const Model& original, const Model& artifact, uint32_t threads,
                            Report& report, Progress& progress);

/// How much higher the perplexity of the artifact is, as a share of the original's; negative when it is lower.
double perplexity_increase(const Report& report);

}  // namespace lathe
