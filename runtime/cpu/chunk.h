#pragma once
// A batch is cut into chunks of consecutive sequences (or samples) that go through the whole program together.

#include <array>
#include <cstdint>
#include <vector>

#include "runtime/cpu/plan.h"
#include "runtime/executor.h"

namespace lathe::cpu {

/// So few rows are not worth a thread each. Instead the outputs of every linear layer are shared out, and each weight
/// is read by one thread alone.
inline constexpr size_t kFewRows = 8;

struct Chunk {
  const BatchRun* batch = nullptr;
  /// Of every token of the batch in its sequence, counting the tokens that are in the cache.
  const std::vector<uint32_t>* positions = nullptr;
  /// The first token, sequence and sample in the batch, and how many the chunk has of each; by RowKind.
  std::array<size_t, kRowKinds> firsts{};
  std::array<size_t, kRowKinds> counts{};

  size_t first(RowKind rows) const { return firsts[static_cast<size_t>(rows)]; }
  size_t count(RowKind rows) const { return counts[static_cast<size_t>(rows)]; }
  /// Tokens, or samples.
  size_t rows() const { return count(RowKind::tokens) + count(RowKind::samples); }
  /// The first row of a sequence of the batch among the tokens of the chunk.
  size_t row_of(size_t sequence) const { return batch->tokens.starts[sequence] - first(RowKind::tokens); }
  /// How many tokens came before the first one of that sequence of the batch.
  size_t past_of(size_t sequence) const { return (*positions)[batch->tokens.starts[sequence]]; }
};

/// Some rows of a chunk, and the row of the caller's outputs that belongs to the first of them.
struct RowRange {
  size_t first = 0;
  size_t count = 0;
  size_t output = 0;
};

/// The position of every token of the batch in its sequence.
void set_positions(const BatchRun& batch, std::vector<uint32_t>& positions);

/// The chunks point to `batch` and `positions`.
std::vector<Chunk> cut_into_chunks(const BatchRun& batch, const std::vector<uint32_t>& positions, size_t threads);

/// The blocks of rows in which a row segment runs over a chunk. Where only the last token of each sequence is wanted
/// and no attention follows (`rowwise`), the other rows are left out. `sharers` is how many workers share the chunk.
std::vector<RowRange> blocks_of(const Chunk& chunk, RowKind rows, bool rowwise, size_t sharers);

}  // namespace lathe::cpu
