#pragma once
// Several artifacts side by side: the measurements behind `compress compare` and the main command's report.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/evaluation.h"
#include "cli/speed.h"
#include "compress/evaluation/eval_task.h"

namespace lathe::cli {

struct ComparisonRequest {
  std::vector<std::filesystem::path> files;  // the first is the reference
  std::vector<std::string> names;            // as many, or empty: the files' stems
  std::optional<LabelledTexts> task;         // absent: no accuracy
  std::vector<std::string> texts;            // empty: no fidelity to the first
  std::optional<std::string> language_file;  // of models that generate: the text for perplexity and predictions
  WindowArguments windows;
  bool speed = true;  // speed, interleaved, and peak memory
  SpeedGrid grid;
};

/// Fills in models, machine, and recipe and provenance of the last file; gates, calibration and the rest stay empty.
/// Throws what opening, evaluating and measuring throw, Error{usage} when models that are to be compared give vectors
/// of different width or different labels, and Error{interrupted} when `progress` says so.
Report compare_artifacts(const ComparisonRequest& request, Progress& progress);

}  // namespace lathe::cli
