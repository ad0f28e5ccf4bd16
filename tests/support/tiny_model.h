#pragma once
// Writes a BERT folder that is small enough for a test and whose every part can be broken. Independent of the readers.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "formats/artifact/half.h"
#include "tests/support/safetensors_builder.h"
#include "tests/support/temp_dir.h"

namespace lathe::test {

struct TinyTensor {
  std::vector<uint64_t> shape;
  std::vector<float> values;
};

/// A sentence encoder with random weights, the same ones on every platform. Change what you like, then write().
struct TinyModel {
  std::map<std::string, std::string> config;  // field -> JSON text
  std::map<std::string, TinyTensor> tensors;
  std::vector<std::string> vocabulary;
  std::string dtype = "F32";  // or "F16", "BF16": of the whole file
  std::string pooling;        // "cls", "mean", "max": writes modules.json with normalization; empty: writes none

  static constexpr uint64_t kHidden = 32, kLayers = 2, kHeads = 4, kIntermediate = 80, kPositions = 40, kSegments = 2;

  TinyModel() {
    vocabulary = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the",    "cat",  "dog", "sun",    "moon",
                  "sat",   "ran",   "on",    "mat",   "bright", "is",     "and",  "a",   "house",  "river",
                  "green", "old",   "##s",   "##ing", "walk",   "sleep",  "bird", "sky", "window", "rain",
                  "over",  "under", "small", "great", ".",      ",",      "?",    "of",  "to",     "in",
                  "was",   "tree",  "leaf",  "blue",  "night",  "morning"};
    config = {{"model_type", "\"bert\""},
              {"hidden_size", std::to_string(kHidden)},
              {"num_hidden_layers", std::to_string(kLayers)},
              {"num_attention_heads", std::to_string(kHeads)},
              {"intermediate_size", std::to_string(kIntermediate)},
              {"max_position_embeddings", std::to_string(kPositions)},
              {"type_vocab_size", std::to_string(kSegments)},
              {"vocab_size", std::to_string(vocabulary.size())},
              {"layer_norm_eps", "1e-12"},
              {"hidden_act", "\"gelu\""}};
    add_random("embeddings.word_embeddings.weight", {vocabulary.size(), kHidden}, 0.5f);
    add_random("embeddings.position_embeddings.weight", {kPositions, kHidden}, 0.1f);
    add_random("embeddings.token_type_embeddings.weight", {kSegments, kHidden}, 0.1f);
    add_norm("embeddings.LayerNorm");
    for (uint64_t layer = 0; layer < kLayers; ++layer) {
      const std::string at = "encoder.layer." + std::to_string(layer) + ".";
      for (const char* name : {"query", "key", "value"}) add_linear(at + "attention.self." + name, kHidden, kHidden);
      add_linear(at + "attention.output.dense", kHidden, kHidden);
      add_norm(at + "attention.output.LayerNorm");
      add_linear(at + "intermediate.dense", kIntermediate, kHidden);
      add_linear(at + "output.dense", kHidden, kIntermediate);
      add_norm(at + "output.LayerNorm");
    }
  }

  void add_random(const std::string& name, const std::vector<uint64_t>& shape, float deviation) {
    uint64_t count = 1;
    for (const uint64_t dim : shape) count *= dim;
    TinyTensor& tensor = tensors[name] = {shape, std::vector<float>(count)};
    for (float& value : tensor.values) value = deviation * bell();
  }

  void rename(const std::string& from, const std::string& to) {
    auto node = tensors.extract(from);
    node.key() = to;
    tensors.insert(std::move(node));
  }

  /// Applies to every name.
  template <class Change>
  void rename_all(Change change) {
    std::map<std::string, TinyTensor> renamed;
    for (auto& [name, tensor] : tensors) renamed[change(name)] = std::move(tensor);
    tensors = std::move(renamed);
  }

  /// Writes the folder and returns it.
  std::filesystem::path write(const TempDir& dir, const std::string& name = "model") const {
    std::string fields;
    for (const auto& [key, value] : config) fields += (fields.empty() ? "\"" : ",\"") + key + "\":" + value;
    dir.write(name + "/config.json", "{" + fields + "}");
    std::string lines;
    for (const std::string& token : vocabulary) lines += token + "\n";
    dir.write(name + "/vocab.txt", lines);
    SafetensorsBuilder builder;
    for (const auto& [tensor_name, tensor] : tensors) {
      builder.add(tensor_name, dtype, tensor.shape, stored_bytes(tensor.values));
    }
    dir.write(name + "/model.safetensors", builder.build());
    if (!pooling.empty()) write_modules(dir, name);
    return dir / name;
  }

 private:
  // The sum of twelve uniform numbers: nearly normal, and no library's business.
  float bell() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += static_cast<double>(random_()) / 4294967296.0;
    return static_cast<float>(sum);
  }

  void add_linear(const std::string& name, uint64_t outputs, uint64_t inputs) {
    add_random(name + ".weight", {outputs, inputs}, 1 / std::sqrt(static_cast<float>(inputs)));
    add_random(name + ".bias", {outputs}, 0.05f);
  }

  void add_norm(const std::string& name) {
    add_random(name + ".weight", {kHidden}, 0.05f);
    for (float& gamma : tensors[name + ".weight"].values) gamma += 1;
    add_random(name + ".bias", {kHidden}, 0.05f);
  }

  std::string stored_bytes(const std::vector<float>& values) const {
    if (dtype == "F32") return raw_bytes(values);
    std::vector<uint16_t> halves(values.size());
    std::transform(values.begin(), values.end(), halves.begin(), dtype == "F16" ? f32_to_f16 : f32_to_bf16);
    return raw_bytes(halves);
  }

  void write_modules(const TempDir& dir, const std::string& name) const {
    const auto module = [](const std::string& type, const std::string& path) {
      return R"({"type":"sentence_transformers.models.)" + type + R"(","path":")" + path + "\"}";
    };
    dir.write(name + "/modules.json", "[" + module("Transformer", "") + "," + module("Pooling", "1_Pooling") + "," +
                                          module("Normalize", "2_Normalize") + "]");
    dir.write(name + "/1_Pooling/config.json", R"({"pooling_mode":")" + pooling + "\"}");
  }

  std::mt19937 random_{20};
};

/// Lines of text in the words of the tiny model's vocabulary, for calibration.
inline std::string tiny_text(size_t lines) {
  const TinyModel model;
  std::mt19937 random(7);
  std::string text;
  for (size_t line = 0; line < lines; ++line) {
    for (size_t words = 4 + random() % 12; words > 0; --words) {
      text += model.vocabulary[5 + random() % (model.vocabulary.size() - 5)] + (words > 1 ? " " : ".\n");
    }
  }
  return text;
}

}  // namespace lathe::test
