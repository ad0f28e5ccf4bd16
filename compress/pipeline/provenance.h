#pragma once
// What an artifact says of how it was made, and what a state folder says of its job: JSON without paths, times or names
// of machines, so that the bytes do not depend on them.

#include <vector>

#include "compress/facts/measurements.h"
#include "compress/facts/weight_facts.h"
#include "compress/pipeline/recipe.h"
#include "compress/source/source_model.h"

namespace lathe {

/// All that the tensors of a compression depend on; a state folder with another job is not gone on with. `provenance`
/// is that of the original, and `source` is what is compressed: the original or a student of it.
Json compression_job(const Json& provenance, const SourceModel& source, const Recipe& recipe);
/// {"layers": [...]}: losses, methods and fallbacks by weight; {"training": [...]} where there was any: each stage's
/// steps and held-out loss and measure, first and best.
Json results(const std::vector<WeightFacts>& weights, const std::vector<TrainingCurve>& training);

}  // namespace lathe
