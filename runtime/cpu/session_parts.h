#pragma once
// What the files of Session share.

#include "runtime/kv_cache.h"
#include "runtime/session.h"

namespace lathe {

/// Rows of wide inputs that are multiplied before their outputs are joined: those stay in the cache.
inline constexpr size_t kPairRows = 16;

/// The sequence of the cache that a sequence of the batch continues.
inline size_t slot_of(const RunOptions& options, size_t sequence) {
  return options.slots.empty() ? sequence : options.slots[sequence];
}

struct Session::Chunk {
  const TokenBatch* batch;
  std::span<const float* const> inputs;
  std::span<float* const> outputs;
  const RunOptions* options;
  size_t first_sequence;
  size_t sequences;

  size_t first_token() const { return batch->starts[first_sequence]; }
  size_t tokens() const { return batch->starts[first_sequence + sequences] - first_token(); }
  size_t rows(RowKind kind) const { return kind == RowKind::tokens ? tokens() : sequences; }
  size_t slot(size_t sequence) const { return slot_of(*options, sequence); }
  /// Only the last token of each sequence is wanted, and some have more than one.
  bool picks_last() const { return options->last_only && tokens() != sequences; }
};

/// A chunk is run by one worker alone, by one that calls all others for each segment, or by a team: every worker goes
/// through the same steps side by side, doing its share and waiting for the others.
struct Session::Crew {
  enum class Kind { alone, caller, team };
  Session* session;
  Worker* home;  // whose workspace holds the chunk
  Kind kind = Kind::alone;
  size_t rank = 0;
  Barrier* barrier = nullptr;

  size_t sharers() const { return kind == Kind::alone ? 1 : session->pool_.size(); }

  /// run(index, worker) for each index below `count`; on return all of them are done.
  template <class Run>
  void each(size_t count, const Run& run) const {
    if (kind == Kind::caller) {
      session->pool_.parallel_for(count, [&](size_t i, size_t w) { run(i, session->workers_[w]); });
      return;
    }
    const size_t step = kind == Kind::team ? session->pool_.size() : 1;
    for (size_t i = rank; i < count; i += step) run(i, kind == Kind::team ? session->workers_[rank] : *home);
    if (kind == Kind::team) barrier->wait();
  }
};

struct Session::RowRange {
  size_t first;  // in the chunk
  size_t count;
  size_t output;  // row of the outputs that belongs to `first`
};

struct Session::Rows {
  const Chunk* chunk;
  Worker* home;   // whose workspace holds the chunk
  Worker* block;  // whose block holds what lives inside the segment
  RowRange range;
};

}  // namespace lathe
