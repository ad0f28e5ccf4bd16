#pragma once
// The task "cls": how often a classifier's label is the right one.

#include <vector>

#include "compress/facts/measurements.h"
#include "compress/source/labelled_texts.h"

namespace lathe {

/// Accuracy; F1 of the second label where there are two; and macro F1, the mean of the F1 of the labels that occur in
/// the file or are predicted. The largest logit decides, the first one of equals. `logits` is [texts, labels].
EvalResult evaluate_classification(const ClassificationData& data, const std::vector<float>& logits, size_t dimension);

}  // namespace lathe
