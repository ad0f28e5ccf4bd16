#pragma once
// Running a model.

#include <memory>
#include <span>
#include <vector>

#include "runtime/batch.h"
#include "runtime/model.h"

namespace lathe {

/// One caller's use of a model: its threads and its memory, which grows to the largest batch seen and is then reused.
/// Not for use by several threads at once: make one session for each.
class Session {
 public:
  /// `model` outlives the session. `threads` 0 means all cores.
  explicit Session(const Model& model, size_t threads = 0);

  /// Runs the whole program. `inputs` and `outputs` are the program's, in order; each is [rows, width], row-major, with
  /// a row for each token or each sequence of the batch. The result for a sequence does not depend on the other
  /// sequences or on the number of threads. Throws Error{usage} for ids, lengths and slots that are out of range, and
  /// for a program that reads samples.
  void run(const TokenBatch& batch, std::span<const float* const> inputs, std::span<float* const> outputs,
           const RunOptions& options = {});
  /// Runs a program whose values have rows for samples.
  void run(const DenseBatch& batch, std::span<const float* const> inputs, std::span<float* const> outputs);
  /// For a program without inputs and with one output that has a row for each sequence. Returns [sequences, width].
  /// Throws Error{usage} for other programs and for what run() refuses.
  std::vector<float> embed(const TokenBatch& batch);

  size_t threads() const { return context_->threads(); }
  const Model& model() const { return model_; }

 private:
  void check_program(bool dense, size_t inputs, size_t outputs) const;
  void find_top_tokens(const TokenBatch& batch, std::span<const float* const> inputs, const RunOptions& options);

  const Model& model_;
  std::unique_ptr<ExecutionContext> context_;
  std::vector<float> rows_;  // in which top tokens are found
};

}  // namespace lathe
