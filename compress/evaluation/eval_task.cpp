#include "compress/evaluation/eval_task.h"

#include <algorithm>
#include <array>

#include "formats/text.h"

namespace lathe {
namespace {

constexpr std::array kTasks = {&kStsEval, &kClassificationEval, &kLanguageEval};

const EvalTask* find_task(std::string_view name) {
  const auto found = std::find_if(kTasks.begin(), kTasks.end(), [&](const EvalTask* row) { return row->name == name; });
  return found == kTasks.end() ? nullptr : *found;
}

const EvalTask& known_task(const EvalSpec& spec) {
  const EvalTask* row = find_task(spec.task);
  if (row == nullptr) fail(Errc::usage, message("there is no task \"", printable(spec.task), "\""));
  return *row;
}

}  // namespace

bool EvalSpec::predicts() const { return known_task(*this).read == nullptr; }

EvalSpec parse_eval_spec(const std::string& text, const std::string& option) {
  const size_t colon = text.find(':');
  const EvalTask* row = find_task(std::string_view(text).substr(0, colon));
  if (row == nullptr || colon == std::string::npos || colon + 1 == text.size()) {
    fail(Errc::usage, message(option, ": \"", printable(text), "\" is not TASK:FILE with a known task; there are ",
                              eval_spec_help()));
  }
  return {std::string(row->name), text.substr(colon + 1)};
}

std::string eval_spec_help() {
  std::string text;
  for (const EvalTask* row : kTasks) {
    text += message(text.empty() ? "" : ", ", row->name, ":FILE with ", row->read == nullptr ? "" : "lines of ",
                    row->file_format);
  }
  return text;
}

void check_eval_fits(const EvalSpec& spec, const Task& model_task, const std::string& model) {
  const EvalTask& row = known_task(spec);
  if (row.model_kind != model_task.kind) {
    fail(Errc::usage, message(spec.task, ":", spec.file, " judges models for ", row.model_kind, ", but ", model,
                              " is for ", printable(model_task.kind)));
  }
}

LabelledTexts read_labelled_texts(const EvalSpec& spec, const Task& model_task, const std::string& model) {
  check_eval_fits(spec, model_task, model);
  return read_labelled_texts(spec, TextFile(spec.file), model_task, model);
}

LabelledTexts read_labelled_texts(const EvalSpec& spec, const TextFile& file, const Task& model_task,
                                  const std::string& model) {
  check_eval_fits(spec, model_task, model);
  const EvalTask& row = known_task(spec);
  if (row.read == nullptr) fail(Errc::internal, message("the task ", spec.task, " has no labels"));
  return row.read(file, model_task);
}

}  // namespace lathe
