#include "runtime/cpu/worker_memory.h"

#include <algorithm>

namespace lathe::cpu {
namespace {

template <class T>
void grow(AlignedBuffer<T>& buffer, size_t count) {
  if (buffer.size() < count) buffer = AlignedBuffer<T>(count);
}

size_t workspace_floats(const Plan& plan, const Chunk& chunk) {
  size_t floats = 0;
  for (size_t rows = 0; rows < kRowKinds; ++rows) floats += chunk.counts[rows] * plan.workspace_width[rows];
  return floats;
}

// The most tokens that a sequence of the chunks has, counting those in the cache.
size_t longest_sequence(std::span<const Chunk> chunks) {
  size_t longest = 0;
  for (const Chunk& chunk : chunks) {
    const size_t first = chunk.first(RowKind::sequences);
    for (size_t s = first; s < first + chunk.count(RowKind::sequences); ++s) {
      longest = std::max(longest, chunk.past_of(s) + chunk.batch->tokens.length(s));
    }
  }
  return longest;
}

size_t attention_bytes(const Plan& plan, const kernels::RowKernels& kernels, std::span<const Chunk> chunks) {
  if (plan.head_width == 0 || chunks.empty()) return 0;
  const size_t longest = longest_sequence(chunks);
  size_t bytes = round_up(kernels.attention_scratch_bytes(longest, plan.head_width), 64);
  if (chunks[0].batch->options.cache != nullptr) {
    bytes += 2 * longest * plan.head_width * sizeof(float);
    bytes = std::max(bytes, kernels.attention_cached_scratch_bytes(longest, plan.head_width));
  }
  return bytes;
}

}  // namespace

void reserve(std::span<WorkerMemory> workers, const Plan& plan, const kernels::RowKernels& kernels,
             std::span<const Chunk> chunks, bool one_owner) {
  size_t workspace = 0;
  size_t rotations = 0;
  for (const Chunk& chunk : chunks) {
    workspace = std::max(workspace, workspace_floats(plan, chunk));
    rotations = std::max(rotations, chunk.count(RowKind::tokens) * plan.rotation_width);
  }
  const size_t scratch = std::max(plan.scratch_bytes, attention_bytes(plan, kernels, chunks));
  for (WorkerMemory& worker : workers) {
    if (!one_owner || &worker == workers.data()) {
      grow(worker.workspace, workspace);
      grow(worker.rotations, rotations);
    }
    grow(worker.block, plan.block_width * kBlockRows);
    grow(worker.quantized, plan.quantized_stride * 2 * kBlockRows);
    grow(worker.scales, 2 * kBlockRows);
    grow(worker.zeros, 2 * kBlockRows);
    grow(worker.scratch, scratch);
    grow(worker.wide_products, plan.wide_outputs * 2 * kWideRows);
    grow(worker.table_row, plan.table_width);
  }
}

}  // namespace lathe::cpu
