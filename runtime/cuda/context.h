#pragma once
// How one session runs a plan on a device.

#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include "runtime/cuda/run_step.h"

namespace lathe::cuda {

/// Consecutive sequences or samples of a batch that go through the whole program together.
struct Chunk {
  size_t first_token = 0;
  size_t first_sequence = 0;
  size_t first_sample = 0;
  RowCounts counts{};
};
std::vector<Chunk> cut_into_chunks(const BatchRun& batch);

/// A queue, the memory that values live in, and the recorded graphs of tokens that decode.
class Context : public ExecutionContext {
 public:
  /// `device` and `plan` outlive the context.
  Context(Device& device, const Plan& plan);

  void run(const BatchRun& batch) override;
  bool finds_top_tokens() const override { return true; }
  size_t threads() const override { return 1; }
  /// How many kernels the graph holds that ran last; 0 where the last run used none.
  size_t graph_kernels() const { return graph_kernels_; }

 private:
  /// What has to be equal for a graph to be used again: sequences, cache, and what is wanted of the output.
  using GraphKey = std::tuple<size_t, uint64_t, bool, bool>;

  void run_chunk(const BatchRun& batch, const Chunk& chunk);
  void reserve(const BatchRun& batch, const Chunk& chunk);
  size_t upload(const BatchRun& batch, const Chunk& chunk);
  void run_steps(PlanRun run, const RunOptions& options);
  void run_graph(const PlanRun& run, const RunOptions& options);
  void download(const BatchRun& batch, const Chunk& chunk);

  Device& device_;
  const Plan& plan_;
  std::unique_ptr<Queue> queue_;
  Workspace workspace_;
  PinnedMemory staging_;
  std::map<GraphKey, std::unique_ptr<Graph>> graphs_;
  size_t graph_kernels_ = 0;
};

}  // namespace lathe::cuda
