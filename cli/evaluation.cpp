#include "cli/evaluation.h"

#include "compress/measure.h"

namespace lathe::cli {

Task task_of(const std::string& artifact_path) { return stored_task(Artifact::open(artifact_path)); }

std::vector<std::string> fidelity_texts(const std::optional<std::string>& file, const std::optional<LabelledTask>& task,
                                        uint64_t first) {
  std::vector<std::string> texts;
  if (file) {
    texts = read_lines(*file);
  } else if (task) {
    texts = task->texts;
  }
  if (first != 0 && texts.size() > first) texts.resize(first);
  return texts;
}

}  // namespace lathe::cli
