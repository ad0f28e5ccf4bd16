#include "cli/evaluation.h"

#include "compress/evaluation/describe.h"

namespace lathe::cli {

Task task_of(const std::string& artifact_path) { return stored_task(Artifact::open(artifact_path)); }

std::vector<std::string> fidelity_texts(const std::optional<std::string>& file,
                                        const std::optional<LabelledTexts>& task, uint64_t first) {
  std::vector<std::string> texts;
  if (file) {
    texts = read_lines(*file);
  } else if (task) {
    texts = task->texts;
  }
  if (first != 0 && texts.size() > first) texts.resize(first);
  return texts;
}

WindowOptions WindowArguments::options_for(const Task& task) const {
  return window_options(context.value_or(0), windows.value_or(kDefaultWindows), task);
}

void add_window_options(Options& options, WindowArguments& arguments) {
  options
      .integer("context", "N", "of lm: tokens of each window of the text (default 512)", 2, 1u << 20, arguments.context)
      .integer("windows", "N", message("of lm: windows to measure (default ", kDefaultWindows, "; 0: all)"), 0,
               UINT32_MAX, arguments.windows);
}

void check_accuracy_options(const Task& task, uint64_t first, const WindowArguments& windows) {
  if (task.generates() && first != 0) {
    fail(Errc::usage, "--first is for models that embed or classify: give --windows");
  }
  if (!task.generates() && (windows.context || windows.windows)) {
    fail(Errc::usage, message(windows.context ? "--context" : "--windows", " is for models that generate text"));
  }
}

LanguageData language_data(const std::string& file, const Artifact& artifact, const WindowArguments& windows) {
  const WindowOptions options = windows.options_for(stored_task(artifact));
  return read_language_data(file, Tokenizer(stored_tokenizer(artifact)), options);
}

namespace {

/// Without what only conversations look at, which files of other versions store in other ways.
TokenizerSpec without_chat(TokenizerSpec spec) {
  spec.chat = ChatForm::none;
  spec.default_system.clear();
  spec.chat_template.clear();
  spec.chat_variables.clear();
  return spec;
}

}  // namespace

void check_same_tokens(const Artifact& a, const Artifact& b) {
  if (without_chat(stored_tokenizer(a)) == without_chat(stored_tokenizer(b))) return;
  fail(Errc::usage, message(a.file().path(), " and ", b.file().path(),
                            " have different tokenizers: their predictions differ in kind"));
}

}  // namespace lathe::cli
