#include "runtime/cpu/chunk_run.h"

#include <algorithm>
#include <cmath>

#include "runtime/cpu/attention.h"
#include "runtime/cpu/run_step.h"

namespace lathe::cpu {
namespace {

// The angle is rounded to f32 before its cosine is taken, as models are trained.
void fill_rotations(const ChunkRun& run) {
  constexpr size_t kRows = 64;  // of one piece of work
  const size_t tokens = run.chunk.count(RowKind::tokens);
  const size_t first = run.chunk.first(RowKind::tokens);
  run.team.for_each(ceil_div(tokens, kRows), [&](size_t piece, WorkerMemory&) {
    for (const Rotation& rotation : run.plan.rotations) {
      const std::vector<float>& frequencies = *rotation.frequencies;
      for (size_t row = piece * kRows; row < std::min(tokens, (piece + 1) * kRows); ++row) {
        float* out = run.team.owner->rotations.data() + rotation.offset * tokens + row * 2 * frequencies.size();
        const auto position = static_cast<float>((*run.chunk.positions)[first + row]);
        for (size_t i = 0; i < frequencies.size(); ++i) {
          const double angle = position * frequencies[i];
          out[i] = static_cast<float>(std::cos(angle));
          out[frequencies.size() + i] = static_cast<float>(std::sin(angle));
        }
      }
    }
  });
}

// Every worker computes its share of the outputs of each linear layer; the first one does the steps in between.
void run_block_in_lockstep(const ChunkRun& run, const RowSegment& segment, const RowRange& rows) {
  const Team& team = run.team;
  const BlockRun block{run, *team.owner, rows};
  WorkerMemory& own = team.workers[team.rank];
  bool outputs_shared = false;  // the last step was a linear layer, and nobody has waited since
  uint32_t last_input = kNone;  // what that layer read; another input may be what it wrote
  for (const Step& step : segment.steps) {
    if (const auto* linear = std::get_if<LinearStep>(&step.kind)) {
      if (!outputs_shared || step.inputs[0] != last_input) team.barrier->wait();
      last_input = step.inputs[0];
      run_linear(step, *linear, block, own, {team.rank, team.size()});
      outputs_shared = true;
      continue;
    }
    if (outputs_shared) team.barrier->wait();
    outputs_shared = false;
    if (team.rank == 0) run_step(step, block);
  }
  team.barrier->wait();
}

void run_blocks_in_lockstep(const ChunkRun& run, const RowSegment& segment, std::span<const RowRange> blocks) {
  for (const RowRange& rows : blocks) run_block_in_lockstep(run, segment, rows);
}

void run_segment(const ChunkRun& run, size_t index, const RowSegment& segment) {
  const Team& team = run.team;
  const std::vector<RowRange> blocks =
      blocks_of(run.chunk, run.plan.segments[index].rows, index >= run.plan.rowwise_from, team.size());
  size_t rows = 0;
  for (const RowRange& block : blocks) rows += block.count;
  if (team.sharing == Sharing::lockstep) {
    run_blocks_in_lockstep(run, segment, blocks);
  } else if (team.sharing == Sharing::fork_join && rows <= kFewRows) {
    Barrier barrier(team.size());
    team.pool->together([&](size_t rank) {
      const Team lockstep{team.pool, team.workers, team.owner, Sharing::lockstep, rank, &barrier};
      run_blocks_in_lockstep({run.plan, run.kernels, run.chunk, lockstep}, segment, blocks);
    });
  } else {
    team.for_each(blocks.size(), [&](size_t i, WorkerMemory& worker) {
      const BlockRun block{run, worker, blocks[i]};
      for (const Step& step : segment.steps) run_step(step, block);
    });
  }
}

void run_segment(const ChunkRun& run, size_t, const AttentionSegment& segment) { run_attention(run, segment); }

void pool_rows(Pooling pooling, const float* x, size_t rows, size_t width, float* y) {
  std::copy(x, x + width, y);
  if (pooling == Pooling::first) return;
  for (size_t row = 1; row < rows; ++row) {
    const float* from = x + row * width;
    for (size_t i = 0; i < width; ++i) y[i] = pooling == Pooling::mean ? y[i] + from[i] : std::max(y[i], from[i]);
  }
  if (pooling == Pooling::mean) {
    for (size_t i = 0; i < width; ++i) y[i] /= static_cast<float>(rows);
  }
}

void run_segment(const ChunkRun& run, size_t, const PoolSegment& segment) {
  const size_t first = run.chunk.first(RowKind::sequences);
  const size_t sequences = run.chunk.count(RowKind::sequences);
  const WorkerMemory& owner = *run.team.owner;
  run.team.for_each(1, [&](size_t, WorkerMemory&) {
    for (size_t s = 0; s < sequences; ++s) {
      const size_t row = run.chunk.row_of(first + s);
      const size_t length = run.chunk.batch->tokens.length(first + s);
      const float* x = address(run, owner, segment.input, {row, length, run.chunk.first(RowKind::tokens) + row});
      float* y = address(run, owner, segment.output, {s, 1, first + s});
      pool_rows(segment.pooling, x, length, run.plan.values[segment.output].width, y);
    }
  });
}

}  // namespace

float* address(const ChunkRun& run, const WorkerMemory& block, uint32_t value, const RowRange& rows) {
  const Chunk& chunk = run.chunk;
  const ValueLocation& location = run.plan.values[value];
  switch (location.storage) {
    case Storage::input:
      return const_cast<float*>(chunk.batch->inputs[location.offset]) +
             (chunk.first(location.rows) + rows.first) * location.width;
    case Storage::output:
      return chunk.batch->outputs[location.offset] + rows.output * location.width;
    case Storage::block:
      return const_cast<float*>(block.block.data()) + location.offset * kBlockRows;
    case Storage::workspace:
      break;
  }
  size_t before = 0;
  for (size_t kind = 0; kind < static_cast<size_t>(location.rows); ++kind) {
    before += chunk.counts[kind] * run.plan.workspace_width[kind];
  }
  return run.team.owner->workspace.data() + before + location.offset * chunk.count(location.rows) +
         rows.first * location.width;
}

void run_chunk(const ChunkRun& run) {
  if (!run.plan.rotations.empty()) fill_rotations(run);
  for (size_t i = 0; i < run.plan.segments.size(); ++i) {
    std::visit([&](const auto& work) { run_segment(run, i, work); }, run.plan.segments[i].work);
  }
}

}  // namespace lathe::cpu
