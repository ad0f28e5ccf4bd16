#pragma once
// Texts in, embeddings out: a tokenizer and a session together.

#include <string>
#include <vector>

#include "runtime/session.h"
#include "runtime/text/tokenizer.h"

namespace lathe {

/// One thread at a time, like Session.
class Embedder {
 public:
  /// `model` outlives the embedder. Throws Error{unsupported} when the model's artifact has no tokenizer.
  explicit Embedder(const Model& model, size_t threads = 0);
  Embedder(const Model& model, TokenizerSpec tokenizer, size_t threads = 0);

  /// [texts, dimension], row-major, in the order of the texts. Texts are run in batches of similar length without
  /// padding; the result for a text does not depend on the others.
  std::vector<float> embed(const std::vector<std::string>& texts);
  /// The token ids that embed() uses for a text: cut at the model's maximum.
  std::vector<int32_t> tokens(const std::string& text) const;

  size_t dimension() const;
  const Tokenizer& tokenizer() const { return tokenizer_; }
  Session& session() { return session_; }

 private:
  Tokenizer tokenizer_;
  Session session_;
};

}  // namespace lathe
