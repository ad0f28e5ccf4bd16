#pragma once
// What `--eval` may ask for: the table of tasks, and the texts with labels that most of them judge outputs for.

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "compress/facts/measurements.h"
#include "compress/source/source_model.h"
#include "formats/text_file.h"

namespace lathe {

/// Texts of a task, and how a model's outputs for them, [texts, dimension], are judged.
struct LabelledTexts {
  std::vector<std::string> texts;
  std::function<EvalResult(const std::vector<float>& outputs, size_t dimension)> evaluate;
};

/// A kind of task. Each stands in a file of its own and is a row of the table in eval_task.cpp.
struct EvalTask {
  std::string_view name;         // in `--eval NAME:FILE`
  std::string_view file_format;  // what the file holds, for --help
  std::string_view model_kind;   // Task::kind of the models that it judges
  /// Reads texts with labels. Null where the task judges how well a text is predicted
  /// (compress/evaluation/language.h).
  LabelledTexts (*read)(const TextFile& file, const Task& model_task);
};
extern const EvalTask kStsEval;
extern const EvalTask kClassificationEval;
extern const EvalTask kLanguageEval;

/// What `--eval` asks for: TASK:FILE.
struct EvalSpec {
  std::string task;  // the name of an EvalTask
  std::string file;

  /// Whether it judges how well a text is predicted and not outputs for labelled texts.
  bool predicts() const;
};
/// Throws Error{usage} naming `option` (such as "--eval") and the tasks there are.
EvalSpec parse_eval_spec(const std::string& text, const std::string& option);
/// One line for --help about what the files hold.
std::string eval_spec_help();

/// Throws Error{usage} when a model of that kind cannot be judged by the task. `model` names it in messages.
void check_eval_fits(const EvalSpec& spec, const Task& model_task, const std::string& model);

/// Opens the task's file. Throws what check_eval_fits, TextFile and the reader of the task throw; Error{internal} for a
/// task that predicts().
LabelledTexts read_labelled_texts(const EvalSpec& spec, const Task& model_task, const std::string& model);
/// Reads a file that is open already.
LabelledTexts read_labelled_texts(const EvalSpec& spec, const TextFile& file, const Task& model_task,
                                  const std::string& model);

}  // namespace lathe
