#pragma once
// Runs the steps of a row segment, each over one block of rows.

#include "runtime/cpu/chunk_run.h"

namespace lathe::cpu {

/// One block of rows of a segment.
struct BlockRun {
  const ChunkRun& run;
  WorkerMemory& memory;  // holds the values that live inside the segment, and the quantized rows
  RowRange rows;
};

void run_step(const Step& step, const BlockRun& block);

/// The share `part` of a linear layer's outputs. `scratch` is the memory of the worker that computes it.
void run_linear(const Step& step, const LinearStep& linear, const BlockRun& block, WorkerMemory& scratch,
                kernels::Part part);

}  // namespace lathe::cpu
