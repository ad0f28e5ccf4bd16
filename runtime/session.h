#pragma once
// Running a model.

#include <span>
#include <vector>

#include "runtime/aligned_buffer.h"
#include "runtime/model.h"
#include "runtime/threads.h"

namespace lathe {

/// Sequences of token ids, one after the other, without padding: sequence i is ids[starts[i] .. starts[i + 1]).
struct TokenBatch {
  std::vector<int32_t> ids;
  std::vector<int32_t> segments;  // as long as ids, or empty: all zero
  std::vector<uint32_t> starts = {0};

  size_t sequences() const { return starts.size() - 1; }
  size_t tokens() const { return starts.back(); }
  size_t length(size_t sequence) const { return starts[sequence + 1] - starts[sequence]; }
  void add(std::span<const int32_t> sequence) {
    ids.insert(ids.end(), sequence.begin(), sequence.end());
    starts.push_back(static_cast<uint32_t>(ids.size()));
  }
};

class KvCache;

/// How a batch is run.
struct RunOptions {
  /// Sequence i of the batch continues sequence slots[i] of the cache (slots empty: sequence i), and its tokens are
  /// added there. Null: every sequence stands for itself. Only for programs whose attention is causal.
  KvCache* cache = nullptr;
  std::span<const uint32_t> slots = {};
  /// Outputs that have a row for each token get one for the last token of each sequence only: [sequences, width].
  bool last_only = false;
};

/// One caller's use of a model: its threads and its memory, which grows to the largest batch seen and is then reused.
/// Not for use by several threads at once; make one session for each.
class Session {
 public:
  /// `model` outlives the session. `threads` 0: all cores.
  explicit Session(const Model& model, size_t threads = 0);

  /// Runs the whole program. `inputs` and `outputs` are the program's, in order, each [rows, width] row-major with as
  /// many rows as the batch has tokens or sequences. The result for a sequence does not depend on the other
  /// sequences or on the number of threads. Throws Error{usage} on a token id or length outside the model's tables.
  void run(const TokenBatch& batch, std::span<const float* const> inputs, std::span<float* const> outputs,
           const RunOptions& options = {});
  /// The common case: no inputs, one output with a row for each sequence. Returns [sequences, width].
  std::vector<float> embed(const TokenBatch& batch);

  size_t threads() const { return pool_.size(); }
  const Model& model() const { return model_; }

 private:
  struct Worker {
    AlignedBuffer<float> workspace;
    AlignedBuffer<float> turns;
    AlignedBuffer<float> block;
    AlignedBuffer<uint8_t> quantized;
    AlignedBuffer<float> scales;
    AlignedBuffer<int32_t> zeros;
    AlignedBuffer<std::byte> scratch;
    AlignedBuffer<float> pairs;  // outputs of wide inputs before they are joined
    AlignedBuffer<int8_t> table_row;
  };
  struct Chunk;          // consecutive sequences that go through the whole program together
  struct Crew;           // who runs a chunk
  struct Rows;           // one block of rows of a segment
  struct RowRange;       // where a block of rows comes from and where its outputs go
  struct AttentionTask;  // some queries of one sequence and the heads that share keys

  void check(const TokenBatch& batch, const RunOptions& options) const;
  void check_cache(const TokenBatch& batch, const RunOptions& options) const;
  void set_positions(const TokenBatch& batch, const RunOptions& options);
  void reserve(const std::vector<Chunk>& chunks, size_t longest, bool one_each);
  void run_chunk(const Chunk& chunk, const Crew& crew);
  void fill_turns(const Chunk& chunk, const Crew& crew);
  void run_rows(const Chunk& chunk, size_t segment, const Crew& crew);
  void run_side_by_side(const Segment& segment, const Rows& rows, const Crew& crew);
  void run_attention(const Chunk& chunk, const Segment& segment, const Crew& crew);
  std::vector<AttentionTask> attention_tasks(const Chunk& chunk, const Op& op, const Crew& crew) const;
  void attend(const Chunk& chunk, const Segment& segment, const AttentionTask& task, const Crew& crew, Worker& runner);
  void attend_one(const Chunk& chunk, const Segment& segment, const AttentionTask& task, const Crew& crew,
                  Worker& runner);
  void store_keys(const Chunk& chunk, const Segment& segment, const AttentionTask& task, const Crew& crew);
  void run_pool(const Chunk& chunk, const Op& op, Worker& worker);
  void run_step(const Step& step, const Rows& rows);
  void run_wide_linear(const Step& step, const Rows& rows, Worker& runner, kernels::Part part);
  void run_linear(const Step& step, const Rows& rows, Worker& runner, kernels::Part part);
  void gather(const Step& step, const Rows& rows);
  float* address(uint32_t value, const Rows& rows) const;

  const Model& model_;
  const Plan& plan_;
  ThreadPool pool_;
  std::vector<Worker> workers_;
  std::vector<uint32_t> positions_;  // of each token of the batch in its sequence
};

}  // namespace lathe
