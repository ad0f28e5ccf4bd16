#include "compress/evaluation/classification.h"

#include <filesystem>

#include "compress/evaluation/eval_task.h"
#include "compress/evaluation/fidelity.h"
#include "formats/artifact/error.h"

namespace lathe {
namespace {

// How often a label was true, predicted, and both.
struct LabelCounts {
  uint64_t truth = 0;
  uint64_t predicted = 0;
  uint64_t both = 0;

  bool occurs() const { return truth + predicted > 0; }
  double f1() const { return occurs() ? 2.0 * static_cast<double>(both) / static_cast<double>(truth + predicted) : 0; }
};

LabelledTexts read_task(const TextFile& file, const Task& model) {
  ClassificationData data = read_classification(file, model.labels);
  std::vector<std::string> texts = data.texts;
  return {std::move(texts), [data = std::move(data)](const std::vector<float>& logits, size_t dimension) {
            return evaluate_classification(data, logits, dimension);
          }};
}

}  // namespace

const EvalTask kClassificationEval = {"cls", "text TAB label", kClassificationTask, read_task};

EvalResult evaluate_classification(const ClassificationData& data, const std::vector<float>& logits, size_t dimension) {
  if (logits.size() != data.texts.size() * dimension || dimension != data.labels.size()) {
    fail(Errc::usage, message("there are ", logits.size(), " numbers for ", data.texts.size(), " texts and ",
                              data.labels.size(), " labels"));
  }
  check_finite_outputs(logits, dimension);
  std::vector<LabelCounts> counts(dimension);
  uint64_t right = 0;
  for (size_t i = 0; i < data.texts.size(); ++i) {
    const size_t predicted = largest(&logits[i * dimension], dimension);
    ++counts[data.truth[i]].truth;
    ++counts[predicted].predicted;
    if (predicted != data.truth[i]) continue;
    ++counts[predicted].both;
    ++right;
  }
  double f1_sum = 0;
  size_t occurring = 0;
  for (const LabelCounts& label : counts) {
    f1_sum += label.f1();
    occurring += label.occurs() ? 1 : 0;
  }
  const auto texts = static_cast<double>(data.texts.size());
  EvalResult result{"cls", std::filesystem::path(data.path).filename().string(), data.texts.size(), "texts", {}};
  result.metrics.push_back({"accuracy", "Accuracy", static_cast<double>(right) / texts});
  if (dimension == 2) result.metrics.push_back({"f1", "F1 of " + data.labels[1], counts[1].f1()});
  result.metrics.push_back({"macro_f1", "Macro F1", f1_sum / static_cast<double>(occurring)});
  return result;
}

}  // namespace lathe
