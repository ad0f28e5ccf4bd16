#pragma once
// What several commands share about accuracy.

#include <optional>
#include <string>
#include <vector>

#include "compress/evaluate.h"

namespace lathe::cli {

/// The data of `--eval sts:FILE.tsv`. Throws Error{usage} for another task, and what read_sts throws.
StsData read_task(const std::string& option);

/// The texts on which fidelity is measured: lines of `file`, or else those of the task, the first `first` of them
/// (0: all). Empty when there is neither.
std::vector<std::string> fidelity_texts(const std::optional<std::string>& file, const std::optional<StsData>& task,
                                        uint64_t first);

}  // namespace lathe::cli
