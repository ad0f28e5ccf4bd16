#pragma once
// Attention within the batch, or over what a cache remembers.

#include "runtime/cpu/chunk_run.h"

namespace lathe::cpu {

/// Runs one attention over a chunk and stores its keys and values in the cache, where there is one.
void run_attention(const ChunkRun& run, const AttentionSegment& segment);

}  // namespace lathe::cpu
