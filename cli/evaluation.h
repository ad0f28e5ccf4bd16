#pragma once
// What several commands share about accuracy.

#include <optional>
#include <string>
#include <vector>

#include "compress/evaluate.h"

namespace lathe::cli {

/// What an artifact is for, without packing its weights. Throws Error{no_input, malformed}.
Task task_of(const std::string& artifact_path);

/// The texts on which fidelity is measured: lines of `file`, or else those of the task, the first `first` of them
/// (0: all). Empty when there is neither.
std::vector<std::string> fidelity_texts(const std::optional<std::string>& file, const std::optional<LabelledTask>& task,
                                        uint64_t first);

}  // namespace lathe::cli
