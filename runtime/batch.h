#pragma once
// What a session runs, and how: sequences of token ids, or samples of dense tensors.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace lathe {

/// Sequences of token ids, one after the other, without padding: sequence i is ids[starts[i] .. starts[i + 1]).
struct TokenBatch {
  std::vector<int32_t> ids;
  /// One for each id, or empty, which means that all of them are 0.
  std::vector<int32_t> segments;
  std::vector<uint32_t> starts = {0};

  size_t sequences() const { return starts.size() - 1; }
  size_t tokens() const { return starts.back(); }
  size_t length(size_t sequence) const { return starts[sequence + 1] - starts[sequence]; }
  void add(std::span<const int32_t> sequence) {
    ids.insert(ids.end(), sequence.begin(), sequence.end());
    starts.push_back(static_cast<uint32_t>(ids.size()));
  }
};

/// Samples of dense tensors: the inputs of the program are their data, with a row for each sample.
struct DenseBatch {
  size_t samples = 0;
};

class KvCache;

/// How a batch of token sequences is run.
struct RunOptions {
  /// With a cache, sequence i of the batch continues the cache's sequence slots[i] (or i, where `slots` is empty), and
  /// the cache then holds its tokens too. Without one, every sequence starts at its first token. A cache needs a
  /// program whose attention is causal, and must have been made for the session's model.
  KvCache* cache = nullptr;
  std::span<const uint32_t> slots = {};
  /// An output that has a row for each token gets only the row of the last token of each sequence: [sequences, width].
  bool last_only = false;
  /// Where it is not empty, with last_only and a program with one output that has a row for each token: gets for each
  /// sequence the index of the largest number of its row, the first one among equals. The output itself is then not
  /// written, and its pointer may be null.
  std::span<int32_t> top_tokens = {};

  /// The sequence of the cache that a sequence of the batch continues.
  size_t slot(size_t sequence) const { return slots.empty() ? sequence : slots[sequence]; }
};

}  // namespace lathe
