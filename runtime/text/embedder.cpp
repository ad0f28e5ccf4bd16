#include "runtime/text/embedder.h"

#include <algorithm>
#include <numeric>

namespace lathe {
namespace {

// Enough for every thread to have several chunks of work, little enough for the memory of a batch to stay small.
constexpr size_t kBatchTokens = 4096;

TokenizerSpec stored_tokenizer(const Model& model) {
  const Artifact* artifact = model.artifact();
  const Bytes section = artifact == nullptr ? Bytes() : artifact->section(layout::Section::tokenizer);
  if (section.empty()) {
    fail(Errc::unsupported, message(artifact == nullptr ? "this model" : artifact->file().path(),
                                    ": has no tokenizer, so it cannot read text"));
  }
  return decode_tokenizer(section, artifact->file().path());
}

void check_fit(const Model& model, const Tokenizer& tokenizer) {
  const std::string where = model.artifact() == nullptr ? "this model" : model.artifact()->file().path();
  const Program& program = model.program();
  if (!program.inputs.empty() || program.outputs.size() != 1 ||
      program.values[program.outputs[0]].rows != RowKind::sequences) {
    fail(Errc::unsupported, where + ": the program does not give one vector for each text");
  }
  if (tokenizer.vocabulary_size() > model.vocabulary_size()) {
    fail(Errc::malformed, message(where, ": the tokenizer has ids up to ", tokenizer.vocabulary_size() - 1,
                                  ", the embedding table has ", model.vocabulary_size(), " rows"));
  }
}

}  // namespace

Embedder::Embedder(const Model& model, size_t threads) : Embedder(model, stored_tokenizer(model), threads) {}

Embedder::Embedder(const Model& model, TokenizerSpec tokenizer, size_t threads)
    : tokenizer_(std::move(tokenizer)), session_(model, threads) {
  check_fit(model, tokenizer_);
}

std::vector<int32_t> Embedder::tokens(const std::string& text) const {
  return tokenizer_.encode(text, std::min<size_t>(tokenizer_.spec().max_length, session_.model().max_tokens()));
}

size_t Embedder::dimension() const {
  const Program& program = session_.model().program();
  return program.values[program.outputs[0]].shape.size();
}

std::vector<float> Embedder::embed(const std::vector<std::string>& texts) {
  std::vector<std::vector<int32_t>> sequences;
  sequences.reserve(texts.size());
  for (const std::string& text : texts) sequences.push_back(tokens(text));

  std::vector<size_t> order(texts.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return sequences[a].size() > sequences[b].size(); });

  const size_t width = dimension();
  std::vector<float> result(texts.size() * width);
  for (size_t first = 0; first < order.size();) {
    TokenBatch batch;
    size_t last = first;
    do {
      batch.add(sequences[order[last++]]);
    } while (last < order.size() && batch.tokens() + sequences[order[last]].size() <= kBatchTokens);
    const std::vector<float> rows = session_.embed(batch);
    for (size_t i = first; i < last; ++i) {
      std::copy_n(rows.begin() + static_cast<ptrdiff_t>((i - first) * width), width,
                  result.begin() + static_cast<ptrdiff_t>(order[i] * width));
    }
    first = last;
  }
  return result;
}

}  // namespace lathe
