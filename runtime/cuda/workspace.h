#pragma once
// The memory of a device that one context works in, and what a batch puts there.

#include <array>
#include <cstdint>

#include "runtime/cuda/plan.h"

namespace lathe::cuda {

/// How many rows of each kind a run has, by RowKind.
using RowCounts = std::array<size_t, kRowKinds>;
inline size_t count_of(const RowCounts& counts, RowKind rows) { return counts[static_cast<size_t>(rows)]; }

/// What kernels look up about the tokens and sequences of a batch. One piece of memory, so that it is uploaded at once.
struct BatchInfo {
  int32_t* ids;  // of each token, as are the next two
  int32_t* segments;
  int32_t* positions;
  int32_t* starts;  // of each sequence and the end
  int32_t* past;    // of each sequence, as are the next two
  int32_t* slots;
  int32_t* last;  // its last token
};
inline size_t batch_info_numbers(size_t tokens, size_t sequences) { return 3 * tokens + 4 * sequences + 1; }
BatchInfo place_batch_info(int32_t* memory, size_t tokens, size_t sequences);

/// Pieces of one allocation. What grows with the batch has room for `capacity` rows.
struct Workspace {
  DeviceMemory memory;
  MemoryRows capacity{};
  std::array<float*, kMemories> values{};
  QuantizedRows quantized{};
  unsigned char* expanded = nullptr;  // a weight as dense int8
  float* partial = nullptr;           // of split attention
  float* selected = nullptr;          // [sequences, widest value]
  int32_t* info = nullptr;
  int32_t* top_tokens = nullptr;  // [sequences]

  /// Where a value stands.
  float* at(const ValuePlace& place) const;
};

/// How many blocks share the keys of a token that decodes, at most.
inline constexpr size_t kMostSplits = 32;

/// Throws Error{limit} naming need and free.
Workspace make_workspace(Device& device, const Plan& plan, const MemoryRows& capacity);

}  // namespace lathe::cuda
