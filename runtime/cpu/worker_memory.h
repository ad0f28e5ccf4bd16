#pragma once
// The buffers of one worker. They grow to the largest batch seen and are then reused.

#include <span>

#include "runtime/aligned_buffer.h"
#include "runtime/cpu/chunk.h"
#include "runtime/cpu/plan.h"

namespace lathe::cpu {

/// Rows of 16-bit inputs that are multiplied before their two outputs are added: those stay in the cache.
inline constexpr size_t kWideRows = 16;

struct WorkerMemory {
  // Of the chunk that the worker owns.
  AlignedBuffer<float> workspace;
  AlignedBuffer<float> rotations;
  // Of the block that the worker runs. 16-bit inputs take two quantized rows each.
  AlignedBuffer<float> block;
  AlignedBuffer<uint8_t> quantized;
  AlignedBuffer<float> scales;
  AlignedBuffer<int32_t> zeros;
  // Of the kernel that the worker runs.
  AlignedBuffer<std::byte> scratch;
  AlignedBuffer<float> wide_products;  // two rows for each row of 16-bit inputs
  AlignedBuffer<int8_t> table_row;
};

/// Grows the buffers to what the chunks need. Where the workers do not own a chunk each (`one_owner`), the first one
/// owns them all.
void reserve(std::span<WorkerMemory> workers, const Plan& plan, const kernels::RowKernels& kernels,
             std::span<const Chunk> chunks, bool one_owner);

}  // namespace lathe::cpu
