#pragma once
// Launches the kernels of a step.

#include "runtime/cuda/cache_memory.h"
#include "runtime/cuda/workspace.h"

namespace lathe::cuda {

/// One pass over the steps of a plan.
struct PlanRun {
  Queue& queue;
  const Plan& plan;
  const Workspace& workspace;
  BatchInfo info;
  RowCounts counts{};  // of tokens only those of the last tokens, once the others are left out
  size_t longest = 0;  // tokens of the longest sequence of the batch
  const CacheMemory* cache = nullptr;
  unsigned multiprocessors = 1;  // of the device
  size_t splits = 1;             // of the attention of a token that decodes
};

/// Runs the step of the plan with that index, and those after it that go into the same launch. Returns how many it ran.
size_t run_steps_at(size_t at, const PlanRun& run);

/// Finds the top token of each sequence in the program's one output, of which the rows of the last tokens are there.
void find_top_tokens(const PlanRun& run);

/// Leaves of every value that is needed later only the rows of the last token of each sequence. The caller then sets
/// the count of tokens to that of sequences.
void select_last_tokens(const PlanRun& run);

}  // namespace lathe::cuda
