#pragma once
// What a model is for, and the two sections of an artifact that say so to those who use it: the task, written and read
// here, and the tokenizer.

#include <string>
#include <utility>
#include <vector>

#include "formats/artifact/artifact.h"
#include "formats/artifact/program.h"
#include "formats/artifact/tokenizer/tokenizer_spec.h"

namespace lathe {

inline constexpr const char* kEmbeddingTask = "sentence-embedding";
inline constexpr const char* kClassificationTask = "classification";
inline constexpr const char* kGenerationTask = "generation";

/// What a model is for.
struct Task {
  std::string kind;
  uint32_t dimension = 0;  // of the program's output: of the embedding, the number of labels, or of tokens
  Pooling pooling = Pooling::mean;
  bool normalize = false;
  std::vector<std::string> labels = {};  // of a classifier: the name of each column of its logits

  // Of a model that generates text. Its output has the logits of the next token, a row for each token.
  std::string architecture = {};  // "llama", "mistral", "qwen2", "qwen3", "gpt2"; for exports
  uint32_t context = 0;           // tokens that the model was made for
  double rope_theta = 0;          // 0: no rope; for exports, because the program holds the frequencies

  bool classifies() const { return kind == kClassificationTask; }
  bool generates() const { return kind == kGenerationTask; }
};

/// Throws Error{malformed} naming `where` and the label unless all labels are different UTF-8 texts of 1 to
/// kMaxLabelBytes bytes without control characters.
void check_labels(const std::vector<std::string>& labels, const std::string& where);
inline constexpr size_t kMaxLabelBytes = 256;

/// The task section: lines of key=value. `source` names the model that was compressed.
std::string task_text(const Task& task, const std::string& source);
/// The lines of an artifact's task section, in order; none where it has no such section. Throws Error{malformed}.
std::vector<std::pair<std::string, std::string>> task_fields(const Artifact& artifact);
/// What an artifact is for; without a task section, sentence embeddings. Throws Error{malformed} when a field breaks
/// its format or a classifier has not one label for each logit.
Task stored_task(const Artifact& artifact);

/// The tokenizer of an artifact. Throws Error{unsupported} when it has none, and Error{malformed}.
TokenizerSpec stored_tokenizer(const Artifact& artifact);

}  // namespace lathe
