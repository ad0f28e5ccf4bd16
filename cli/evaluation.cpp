#include "cli/evaluation.h"

#include "formats/text.h"

namespace lathe::cli {

StsData read_task(const std::string& option) {
  constexpr std::string_view kPrefix = "sts:";
  if (!option.starts_with(kPrefix) || option.size() == kPrefix.size()) {
    fail(Errc::usage, message("--eval: \"", printable(option),
                              "\" is not TASK:FILE with a known task; sts:FILE.tsv has lines of text_a TAB text_b TAB "
                              "score"));
  }
  return read_sts(option.substr(kPrefix.size()));
}

std::vector<std::string> fidelity_texts(const std::optional<std::string>& file, const std::optional<StsData>& task,
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
