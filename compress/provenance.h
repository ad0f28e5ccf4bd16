#pragma once
// Where an artifact comes from, and what its making measured: JSON sections of the file. No paths, times or names of
// machines, so that the bytes do not depend on them.

#include <vector>

#include "compress/recipe.h"
#include "compress/report.h"
#include "compress/source_model.h"

namespace lathe {

/// Hashes the source's files and the calibration file.
Json provenance(const SourceModel& source, const Recipe& recipe);
/// {"layers": [...]}: losses, methods and fallbacks by weight.
Json results(const std::vector<WeightFacts>& weights);

}  // namespace lathe
