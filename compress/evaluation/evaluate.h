#pragma once
// Accuracy: what `--eval` may ask for, tasks with labels, and fidelity to the original.

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "compress/facts/measurements.h"
#include "compress/source/labelled_texts.h"
#include "compress/source/source_model.h"
#include "formats/text_file.h"
#include "runtime/text/embedder.h"

namespace lathe {

/// What `--eval` asks for: TASK:FILE.
struct TaskSpec {
  std::string task;  // "sts", "cls" or "lm"
  std::string file;

  /// Whether it judges how well a text is predicted (compress/evaluation/language.h) and not outputs for labelled
  /// texts.
  bool predicts() const { return task == "lm"; }
};
/// Throws Error{usage} naming `option` (such as "--eval") and the tasks there are.
TaskSpec parse_task_spec(const std::string& text, const std::string& option);
/// One line for --help about what the files hold.
std::string task_spec_help();

/// Throws Error{usage} when a model of that kind cannot be judged by the task. `model` names it in messages.
void check_task_fits(const TaskSpec& spec, const Task& model_task, const std::string& model);

/// Texts of a task, and how a model's outputs for them, [texts, dimension], are judged.
struct LabelledTask {
  std::vector<std::string> texts;
  std::function<TaskResult(const std::vector<float>& outputs, size_t dimension)> evaluate;
};
/// Opens the task's file. Throws what check_task_fits, TextFile and the reader of the task throw; Error{internal} for a
/// task that predicts().
LabelledTask read_task(const TaskSpec& spec, const Task& model_task, const std::string& model);
/// The same of a file that is open already.
LabelledTask read_task(const TaskSpec& spec, const TextFile& file, const Task& model_task, const std::string& model);

/// Pairs of texts with a human score; each text is kept once.
struct StsData {
  std::string path;
  std::vector<std::string> texts;
  struct Pair {
    uint32_t a;
    uint32_t b;
    double score;
  };
  std::vector<Pair> pairs;
};

/// Lines of text_a TAB text_b TAB score. Throws Error{malformed} naming file, line and field; at least 2 pairs with
/// different scores.
StsData read_sts(const TextFile& file);
/// The same for a path, which is opened; throws the errors of TextFile, too.
StsData read_sts(const std::filesystem::path& path);

/// Pearson and Spearman of the cosine of the embeddings with the human score. `embeddings` is [texts, dimension].
TaskResult evaluate_sts(const StsData& data, const std::vector<float>& embeddings, size_t dimension);
/// Accuracy; F1 of the second label where there are two; and macro F1, the mean of the F1 of the labels that occur in
/// the file or are predicted. The largest logit decides, the first one of equals. `logits` is [texts, labels].
TaskResult evaluate_classification(const ClassificationData& data, const std::vector<float>& logits, size_t dimension);
/// Cosine per text between two models' outputs for the same texts, and of classifiers how often their labels agree.
FidelityResult fidelity(const std::vector<float>& original, const std::vector<float>& compressed, size_t dimension,
                        bool classifies = false);

/// The index of the largest of `count` > 0 numbers, of the first one among equals.
size_t largest(const float* values, size_t count);

double pearson(const std::vector<double>& x, const std::vector<double>& y);
double spearman(const std::vector<double>& x, const std::vector<double>& y);  // ties share their mean rank

}  // namespace lathe
