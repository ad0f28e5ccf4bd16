#pragma once
// What `compress eval` does with a model that generates text.

#include <optional>
#include <string>

#include "cli/evaluation.h"

namespace lathe::cli {

struct LanguageEvalRequest {
  std::string file;                    // path of the artifact
  std::optional<EvalSpec> task;        // absent: no perplexity
  std::optional<std::string> against;  // path of the artifact that is the reference; absent: no comparison
  std::optional<std::string> texts;    // path of the text to compare on; absent: the text of the task
  WindowArguments windows;
  size_t threads = 0;
  bool json = false;
  MakeExecutor on_device;  // of both models
};

/// Measures and writes the result to standard output. The request has a task, or a reference and a text. Throws the
/// errors of read_language_data and compare_language, and Error{usage} when the two models cannot be compared.
void evaluate_language(const Model& model, const LanguageEvalRequest& request, Progress& progress);

}  // namespace lathe::cli
