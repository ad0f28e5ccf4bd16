#include "runtime/cuda/workspace.h"

#include <algorithm>

namespace lathe::cuda {
namespace {

// The widest value, and the numbers that a split of an attention leaves for one sequence.
struct Widths {
  size_t value = 0;
  size_t partial = 0;
};

Widths widths_of(const Plan& plan) {
  Widths widths;
  for (const ValuePlace& value : plan.values) widths.value = std::max<size_t>(widths.value, value.width);
  for (const AttentionStep& a : plan.attentions) {
    widths.partial = std::max<size_t>(widths.partial, static_cast<size_t>(a.heads) * (a.head_width + 2));
  }
  return widths;
}

void place(const Plan& plan, const MemoryRows& capacity, Arena& arena, Workspace& workspace) {
  for (size_t memory = 0; memory < kMemories; ++memory) {
    workspace.values[memory] = arena.take<float>(plan.row_width[memory] * capacity[memory]);
  }
  const size_t tokens = capacity[static_cast<size_t>(RowKind::tokens)];
  const size_t sequences = capacity[static_cast<size_t>(RowKind::sequences)];
  const size_t rows = *std::max_element(capacity.begin(), capacity.end()) * (plan.wide ? 2 : 1);
  const Widths widths = widths_of(plan);
  workspace.quantized.stride = static_cast<uint32_t>(plan.quantized_stride);
  workspace.quantized.values = arena.take<unsigned char>(plan.quantized_stride * rows);
  workspace.quantized.scales = arena.take<float>(rows);
  workspace.quantized.zeros = arena.take<int32_t>(rows);
  workspace.expanded = arena.take<unsigned char>(plan.expanded_bytes);
  workspace.partial = arena.take<float>(widths.partial * kMostSplits * sequences);
  workspace.selected = arena.take<float>(widths.value * sequences);
  workspace.info = arena.take<int32_t>(batch_info_numbers(tokens, sequences));
  workspace.top_tokens = arena.take<int32_t>(sequences);
}

}  // namespace

BatchInfo place_batch_info(int32_t* memory, size_t tokens, size_t sequences) {
  BatchInfo info{};
  const auto take = [&](size_t count) {
    int32_t* const at = memory;
    memory += count;
    return at;
  };
  info.ids = take(tokens);
  info.segments = take(tokens);
  info.positions = take(tokens);
  info.starts = take(sequences + 1);
  info.past = take(sequences);
  info.slots = take(sequences);
  info.last = take(sequences);
  return info;
}

float* Workspace::at(const ValuePlace& place) const {
  return values[place.memory] + place.offset * capacity[place.memory];
}

Workspace make_workspace(Device& device, const Plan& plan, const MemoryRows& capacity) {
  Workspace workspace;
  workspace.memory =
      allocate_pieces(device, "the values of a batch", [&](Arena& arena) { place(plan, capacity, arena, workspace); });
  workspace.capacity = capacity;
  return workspace;
}

}  // namespace lathe::cuda
