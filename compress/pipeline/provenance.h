#pragma once
// Where an artifact comes from, and what its making measured: JSON sections of the file. No paths, times or names of
// machines, so that the bytes do not depend on them.

#include <vector>

#include "compress/facts/measurements.h"
#include "compress/facts/weight_facts.h"
#include "compress/pipeline/recipe.h"
#include "compress/source/source_model.h"

namespace lathe {

/// Hashes the source's files and the files of calibration and training.
Json provenance(const SourceModel& source, const Recipe& recipe);
/// All that the tensors of a compression of `source` (the teacher, or a student of it) depend on; a state with another
/// job is not gone on with.
Json compression_job(const SourceModel& teacher, const SourceModel& source, const Recipe& recipe);
/// {"layers": [...]}: losses, methods and fallbacks by weight; {"training": [...]} where there was any: each stage's
/// steps and held-out loss and measure, first and best.
Json results(const std::vector<WeightFacts>& weights, const std::vector<TrainingCurve>& training);

}  // namespace lathe
