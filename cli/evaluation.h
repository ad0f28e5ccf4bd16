#pragma once
// What several commands share about accuracy.

#include <optional>
#include <string>
#include <vector>

#include "cli/options.h"
#include "compress/evaluation/eval_task.h"
#include "compress/evaluation/fidelity.h"
#include "compress/evaluation/language.h"

namespace lathe::cli {

/// What an artifact is for, without packing its weights. Throws Error{no_input, malformed}.
Task task_of(const std::string& artifact_path);

/// The texts on which fidelity is measured: lines of `file`, or else those of the task, the first `first` of them
/// (0: all). Empty when there is neither.
std::vector<std::string> fidelity_texts(const std::optional<std::string>& file,
                                        const std::optional<LabelledTexts>& task, uint64_t first);

/// How a text is cut for perplexity.
struct WindowArguments {
  std::optional<uint64_t> context;
  std::optional<uint64_t> windows;

  /// Of a model; throws as window_options() does.
  WindowOptions options_for(const Task& task) const;
};
inline constexpr uint64_t kDefaultWindows = 40;
/// --context, --windows.
void add_window_options(Options& options, WindowArguments& arguments);

/// Throws Error{usage} when an option of accuracy is not for models of that kind: --first is not for those that
/// generate text, --context and --windows are for no others.
void check_accuracy_options(const Task& task, uint64_t first, const WindowArguments& windows);

/// The text of `file` as the tokens of `artifact`.
LanguageData language_data(const std::string& file, const Artifact& artifact, const WindowArguments& windows);
/// Throws Error{usage} unless both cut text into the same tokens.
void check_same_tokens(const Artifact& a, const Artifact& b);

}  // namespace lathe::cli
