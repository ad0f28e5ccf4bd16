#pragma once
// Generating text with a decoder: prompts in, tokens out one by one.

#include <functional>
#include <span>
#include <vector>

#include "runtime/kv_cache.h"
#include "runtime/random.h"
#include "runtime/session.h"

namespace lathe {

/// How the next token is drawn. The same seed and logits give the same tokens everywhere.
struct Sampling {
  float temperature = 0;  // 0: always the most probable token
  uint32_t top_k = 0;     // only the k most probable; 0: all
  float top_p = 1;        // only the most probable ones that together reach this probability
  uint64_t seed = 0;
};
/// Throws Error{usage} naming the field, the value and the bound.
void validate(const Sampling& sampling);

/// Draws tokens for one sequence.
class Sampler {
 public:
  /// `stream` makes sequences that have the same seed draw different tokens.
  Sampler(const Sampling& sampling, uint64_t stream);
  /// `logits` is one row over the vocabulary; ties go to the lower id.
  int32_t draw(std::span<const float> logits);

 private:
  Sampling sampling_;
  Random random_;
  std::vector<std::pair<float, int32_t>> candidates_;
};

struct GenerationOptions {
  size_t max_new_tokens = 64;
  std::vector<int32_t> stop_ids;  // the first of them ends a sequence and is not part of the result
  Sampling sampling;
  CacheType cache = CacheType::f16;
};

/// Called for each new token; returning false stops the sequence.
using OnToken = std::function<bool(size_t sequence, int32_t token)>;

struct GenerationTimes {
  double prefill_seconds = 0;  // until the first token of every sequence was drawn
  double decode_seconds = 0;   // for all later tokens
  size_t prompt_tokens = 0;
  size_t decoded_tokens = 0;  // without the first of each sequence
  size_t cache_bytes = 0;
};

/// True for a program whose one output is a row of logits for each token and whose attention is causal throughout.
bool is_generator(const Program& program);

/// Continues each prompt, which has at least one token, until a stop id, max_new_tokens, or model.max_tokens().
/// Sequences are decoded together, but the tokens of one do not depend on the others. Throws Error{usage} unless
/// is_generator(program), for an empty prompt, or for one that leaves no room for a token.
std::vector<std::vector<int32_t>> generate(Session& session, const std::vector<std::vector<int32_t>>& prompts,
                                           const GenerationOptions& options, const OnToken& on_token = {},
                                           GenerationTimes* times = nullptr);

}  // namespace lathe
