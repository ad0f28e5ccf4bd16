#pragma once
// What an artifact is, as values for a report: sizes, weights, and what the pipeline wrote down about them.

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "compress/facts/report_facts.h"
#include "compress/source/source_model.h"
#include "formats/json.h"
#include "runtime/model.h"

namespace lathe {

/// A model and how long opening took: mapping, validation and packing.
struct TimedModel {
  Model model;
  double load_ms = 0;
};
/// Throws what Model::open throws.
TimedModel open_timed(const std::filesystem::path& path, const MakeExecutor& make = executor_maker(Device::cpu));

/// Path, sizes (they add up to the file), weights in the order of the program with the pipeline's results merged in,
/// parameters, load time and ISA of a model that was opened from an artifact; speed, task and memory stay empty.
/// Reads every plane once. Throws Error{malformed} when the results section breaks its format.
ModelReport describe(const TimedModel& opened, const std::string& name);

/// Where the bytes of the file are; the sum is the size of the file.
std::vector<SizeItem> size_items(const Artifact& artifact);

/// A section of JSON text (recipe, provenance, results); null when the file has none. Throws Error{malformed}.
Json section_json(const Artifact& artifact, layout::Section which, const char* section_name);

}  // namespace lathe
