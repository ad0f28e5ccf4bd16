#pragma once
// What `compress eval` does with a model that generates text.

#include <optional>
#include <string>

#include "cli/evaluation.h"

namespace lathe::cli {

struct LanguageEvalRequest {
  std::string file;                    // of the model
  std::optional<TaskSpec> task;        // perplexity
  std::optional<std::string> against;  // another artifact, the reference of a comparison
  std::optional<std::string> texts;    // the text to compare on; that of the task where absent
  WindowArguments windows;
  size_t threads = 0;
  bool json = false;
};

/// Measures and writes the result to standard output. `task` or `against` is given, and a text for each. Throws as
/// read_language_data and compare_language do, Error{usage} where two models do not go together.
void evaluate_language(const Model& model, const LanguageEvalRequest& request, Progress& progress);

}  // namespace lathe::cli
