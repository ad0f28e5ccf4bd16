#pragma once
// One chunk on its way through the program: who runs it, and where its values stand.

#include <span>

#include "runtime/cpu/chunk.h"
#include "runtime/cpu/plan.h"
#include "runtime/cpu/worker_memory.h"
#include "runtime/threads.h"

namespace lathe::cpu {

/// How the workers of a session share one chunk.
enum class Sharing : uint8_t {
  alone,      // one worker runs it
  fork_join,  // one worker runs it and calls the others for each segment
  lockstep,   // every worker goes through the same steps, does its share of each, and waits for the others
};

/// The workers that run one chunk, as one of them sees them.
struct Team {
  ThreadPool* pool = nullptr;
  std::span<WorkerMemory> workers;
  WorkerMemory* owner = nullptr;  // holds the workspace of the chunk
  Sharing sharing = Sharing::alone;
  size_t rank = 0;             // lockstep: which worker this is
  Barrier* barrier = nullptr;  // lockstep: where all of them meet

  size_t size() const { return sharing == Sharing::alone ? 1 : workers.size(); }

  /// Calls run(index, worker) for each index below `count`; on return all of them are done.
  template <class Run>
  void for_each(size_t count, const Run& run) const {
    if (sharing == Sharing::fork_join) {
      pool->parallel_for(count, [&](size_t i, size_t w) { run(i, workers[w]); });
      return;
    }
    const bool lockstep = sharing == Sharing::lockstep;
    for (size_t i = rank; i < count; i += size()) run(i, lockstep ? workers[rank] : *owner);
    if (lockstep) barrier->wait();
  }
};

/// Everything that runs a chunk. Borrows all of it.
struct ChunkRun {
  const Plan& plan;
  const kernels::RowKernels& kernels;
  const Chunk& chunk;
  Team team;
};

/// Where the rows of a value begin. `block` holds the values that live inside one segment. Inputs of the program are
/// not to be written to.
float* address(const ChunkRun& run, const WorkerMemory& block, uint32_t value, const RowRange& rows);

/// Runs all segments of the plan over the chunk. Every worker of a team in lockstep calls it.
void run_chunk(const ChunkRun& run);

}  // namespace lathe::cpu
