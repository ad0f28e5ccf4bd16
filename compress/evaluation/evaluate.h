#pragma once
// Accuracy: what `--eval` may ask for, tasks with labels, and fidelity to the original.

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "compress/facts/measurements.h"
#include "compress/source/source_model.h"
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
/// Throws what check_task_fits and the readers below throw; Error{internal} for a task that predicts().
LabelledTask read_task(const TaskSpec& spec, const Task& model_task, const std::string& model);

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

/// Lines of text_a TAB text_b TAB score. Throws Error{no_input}, Error{malformed} naming file, line and field; at
/// least 2 pairs with different scores.
StsData read_sts(const std::filesystem::path& path);

/// Texts with the index of their label.
struct ClassificationData {
  std::string path;
  std::vector<std::string> texts;
  std::vector<uint32_t> truth;      // by text
  std::vector<std::string> labels;  // all of the model's
};

/// Lines of text TAB label, where the label, which follows the last tab, is one of `labels` or else an index of one.
/// Throws Error{no_input}, Error{malformed} naming file, line and field; at least one text.
ClassificationData read_classification(const std::filesystem::path& path, const std::vector<std::string>& labels);
/// The different labels of such a file, sorted. Same errors, those of check_labels, and fewer than two are an error.
std::vector<std::string> read_label_names(const std::filesystem::path& path);

/// One text a line, UTF-8, empty lines skipped. Throws Error{no_input, malformed} (empty, not UTF-8: names the line).
std::vector<std::string> read_lines(const std::filesystem::path& path);

/// The whole text of a file, UTF-8; line ends become \n, and a byte order mark is left out. Throws Error{no_input,
/// malformed} (empty, not UTF-8: names the line).
std::string read_text(const std::filesystem::path& path);

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
