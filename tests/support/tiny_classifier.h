#pragma once
// The tiny model with a head that sorts texts into classes.

#include <string>
#include <vector>

#include "tests/support/tiny_model.h"

namespace lathe::test {

/// Names are label 0, 1, ...; without any, the config says how many labels there are.
inline TinyModel tiny_classifier(const std::vector<std::string>& labels = {"bad", "good"}) {
  TinyModel model;
  model.rename_all([](const std::string& name) { return "bert." + name; });
  model.config["architectures"] = R"(["BertForSequenceClassification"])";
  std::string names;
  for (size_t i = 0; i < labels.size(); ++i) {
    names += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":\"" + labels[i] + "\"";
  }
  model.config["id2label"] = "{" + names + "}";
  model.add_random("bert.pooler.dense.weight", {TinyModel::kHidden, TinyModel::kHidden}, 0.3f);
  model.add_random("bert.pooler.dense.bias", {TinyModel::kHidden}, 0.05f);
  model.add_random("classifier.weight", {labels.size(), TinyModel::kHidden}, 0.3f);
  model.add_random("classifier.bias", {labels.size()}, 0.05f);
  return model;
}

}  // namespace lathe::test
