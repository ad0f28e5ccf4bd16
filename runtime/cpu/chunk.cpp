#include "runtime/cpu/chunk.h"

#include <algorithm>

#include "runtime/kv_cache.h"

namespace lathe::cpu {
namespace {

// Rows that go through the whole program together: enough to hide the streaming of the weights, few enough for their
// activations to stay in the cache.
constexpr size_t kMinChunkRows = 64;
constexpr size_t kMaxChunkRows = 256;

constexpr auto kTokens = static_cast<size_t>(RowKind::tokens);
constexpr auto kSequences = static_cast<size_t>(RowKind::sequences);
constexpr auto kSamples = static_cast<size_t>(RowKind::samples);

// One row for each sequence: its last token.
std::vector<RowRange> last_rows(const Chunk& chunk) {
  std::vector<RowRange> ranges;
  const size_t first = chunk.first(RowKind::sequences);
  for (size_t s = first; s < first + chunk.count(RowKind::sequences); ++s) {
    ranges.push_back({chunk.row_of(s + 1) - 1, 1, s});
  }
  return ranges;
}

}  // namespace

void set_positions(const BatchRun& batch, std::vector<uint32_t>& positions) {
  const TokenBatch& tokens = batch.tokens;
  const KvCache* cache = batch.options.cache;
  positions.resize(tokens.tokens());
  for (size_t s = 0; s < tokens.sequences(); ++s) {
    const size_t past = cache == nullptr ? 0 : cache->length(batch.options.slot(s));
    for (size_t i = 0; i < tokens.length(s); ++i) positions[tokens.starts[s] + i] = static_cast<uint32_t>(past + i);
  }
}

std::vector<Chunk> cut_into_chunks(const BatchRun& batch, const std::vector<uint32_t>& positions, size_t threads) {
  const TokenBatch& tokens = batch.tokens;
  const size_t rows = tokens.tokens() + batch.samples;
  const size_t target = std::clamp(rows / (4 * threads), kMinChunkRows, kMaxChunkRows);
  std::vector<Chunk> chunks;
  for (size_t s = 0; s < tokens.sequences(); ++s) {
    if (chunks.empty() || chunks.back().counts[kTokens] + tokens.length(s) > target) {
      chunks.push_back({&batch, &positions, {}, {}});
      chunks.back().firsts[kTokens] = tokens.starts[s];
      chunks.back().firsts[kSequences] = s;
    }
    chunks.back().counts[kTokens] += tokens.length(s);
    ++chunks.back().counts[kSequences];
  }
  for (size_t sample = 0; sample < batch.samples; sample += target) {
    chunks.push_back({&batch, &positions, {}, {}});
    chunks.back().firsts[kSamples] = sample;
    chunks.back().counts[kSamples] = std::min(target, batch.samples - sample);
  }
  return chunks;
}

std::vector<RowRange> blocks_of(const Chunk& chunk, RowKind rows, bool rowwise, size_t sharers) {
  const bool last_only = chunk.batch->options.last_only && rows == RowKind::tokens;
  const size_t total = chunk.count(rows);
  // Where every sequence has one token there is nothing to leave out.
  if (last_only && rowwise && total != chunk.count(RowKind::sequences)) return last_rows(chunk);
  const size_t blocks = std::max(ceil_div(total, kBlockRows), std::min(sharers, total));
  size_t size = std::min<size_t>(kBlockRows, round_up(ceil_div(total, blocks), blocks > 1 ? 8 : 1));
  if (total <= kFewRows && sharers > 1) size = total;
  const size_t output = chunk.first(last_only ? RowKind::sequences : rows);
  std::vector<RowRange> ranges;
  for (size_t row = 0; row < total; row += size) ranges.push_back({row, std::min(size, total - row), output + row});
  return ranges;
}

}  // namespace lathe::cpu
