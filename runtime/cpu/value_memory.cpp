// Memory for the values of a plan: a place is used again as soon as the value that it held is dead.

#include <algorithm>
#include <map>

#include "runtime/cpu/plan.h"
#include "runtime/value_offsets.h"

namespace lathe::cpu {
namespace {

// Offsets for the values of one kind of memory; returns the floats that a row needs in all.
size_t place(const std::vector<Lifetime>& lifetimes, std::vector<ValueLocation>& locations) {
  std::vector<size_t> widths;
  for (const ValueLocation& location : locations) widths.push_back(location.width);
  std::vector<size_t> offsets(locations.size());
  const size_t total = assign_offsets(lifetimes, widths, offsets);
  for (const Lifetime& lifetime : lifetimes) locations[lifetime.value].offset = offsets[lifetime.value];
  return total;
}

// When a value is needed: in segments, or in steps of one segment.
using Lifetimes = std::map<uint32_t, Lifetime>;

void touch(Lifetimes& lifetimes, uint32_t value, size_t time) {
  if (value != kNone) lifetimes.try_emplace(value, Lifetime{value}).first->second.touch(time);
}

// The values that a segment reads or writes, with the steps between which they are needed.
Lifetimes values_of(const RowSegment& segment) {
  Lifetimes lifetimes;
  for (size_t i = 0; i < segment.steps.size(); ++i) {
    const Step& step = segment.steps[i];
    for (const uint32_t value : {step.inputs[0], step.inputs[1], step.output}) touch(lifetimes, value, i);
  }
  return lifetimes;
}

Lifetimes values_of(const AttentionSegment& segment) {
  Lifetimes lifetimes;
  for (const uint32_t value : {segment.query, segment.key, segment.value, segment.output}) touch(lifetimes, value, 0);
  return lifetimes;
}

Lifetimes values_of(const PoolSegment& segment) {
  Lifetimes lifetimes;
  for (const uint32_t value : {segment.input, segment.output}) touch(lifetimes, value, 0);
  return lifetimes;
}

void place_at_caller(const std::vector<uint32_t>& values, Storage storage, Plan& plan) {
  for (size_t i = 0; i < values.size(); ++i) {
    plan.values[values[i]].storage = storage;
    plan.values[values[i]].offset = i;
  }
}

}  // namespace

void place_values(const Program& program, Plan& plan) {
  for (const Value& value : program.values) {
    plan.values.push_back({Storage::workspace, 0, value.rows, value.shape.size()});
  }
  place_at_caller(program.outputs, Storage::output, plan);
  place_at_caller(program.inputs, Storage::input, plan);

  std::vector<Lifetimes> in_segment;
  Lifetimes in_program;
  for (size_t s = 0; s < plan.segments.size(); ++s) {
    in_segment.push_back(std::visit([](const auto& work) { return values_of(work); }, plan.segments[s].work));
    for (const auto& [value, lifetime] : in_segment.back()) touch(in_program, value, s);
  }
  plan.late_outputs = std::all_of(program.outputs.begin(), program.outputs.end(), [&](uint32_t value) {
    const auto lifetime = in_program.find(value);
    const bool late = lifetime != in_program.end() && lifetime->second.first >= plan.rowwise_from;
    return late || plan.values[value].rows != RowKind::tokens;
  });
  std::array<std::vector<Lifetime>, kRowKinds> workspace;
  for (const auto& [value, lifetime] : in_program) {
    ValueLocation& location = plan.values[value];
    if (location.storage != Storage::workspace) continue;
    const bool one_segment = lifetime.first == lifetime.last;
    if (one_segment && std::holds_alternative<RowSegment>(plan.segments[lifetime.first].work)) {
      location.storage = Storage::block;
    } else {
      workspace[static_cast<size_t>(location.rows)].push_back(lifetime);
    }
  }
  for (size_t rows = 0; rows < kRowKinds; ++rows) {
    plan.workspace_width[rows] = place(workspace[rows], plan.values);
  }
  for (const Lifetimes& lifetimes : in_segment) {
    std::vector<Lifetime> block;
    for (const auto& [value, lifetime] : lifetimes) {
      if (plan.values[value].storage == Storage::block) block.push_back(lifetime);
    }
    plan.block_width = std::max(plan.block_width, place(block, plan.values));
  }
}

}  // namespace lathe::cpu
