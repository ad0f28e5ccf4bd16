#include "runtime/session.h"

#include <algorithm>
#include <cmath>

namespace lathe {
namespace {

// Tokens that go through the whole program together: enough to hide the streaming of the weights, few enough for
// their activations to stay in the cache.
constexpr size_t kMinChunkTokens = 64;
constexpr size_t kMaxChunkTokens = 256;
constexpr size_t kQueryBlock = 64;

template <class T>
void grow(AlignedBuffer<T>& buffer, size_t count) {
  if (buffer.size() < count) buffer = AlignedBuffer<T>(count);
}

void pool_rows(Pooling kind, const float* x, size_t rows, size_t width, float* y) {
  std::copy(x, x + width, y);
  if (kind == Pooling::first) return;
  for (size_t row = 1; row < rows; ++row) {
    const float* from = x + row * width;
    for (size_t i = 0; i < width; ++i) y[i] = kind == Pooling::mean ? y[i] + from[i] : std::max(y[i], from[i]);
  }
  if (kind == Pooling::mean) {
    for (size_t i = 0; i < width; ++i) y[i] /= static_cast<float>(rows);
  }
}

void normalize_row(const float* x, size_t width, float epsilon, float* y) {
  double squares = 0;
  for (size_t i = 0; i < width; ++i) squares += static_cast<double>(x[i]) * x[i];
  const float norm = std::max(static_cast<float>(std::sqrt(squares)), epsilon);
  for (size_t i = 0; i < width; ++i) y[i] = x[i] / norm;
}

}  // namespace

struct Session::Chunk {
  const TokenBatch* batch;
  std::span<const float* const> inputs;
  std::span<float* const> outputs;
  size_t first_sequence;
  size_t sequences;

  size_t first_token() const { return batch->starts[first_sequence]; }
  size_t tokens() const { return batch->starts[first_sequence + sequences] - first_token(); }
  size_t rows(RowKind kind) const { return kind == RowKind::tokens ? tokens() : sequences; }
};

struct Session::Rows {
  const Chunk* chunk;
  Worker* home;   // whose workspace holds the chunk
  Worker* block;  // who runs these rows
  size_t first;
  size_t count;
};

Session::Session(const Model& model, size_t threads)
    : model_(model), plan_(model.plan()), pool_(threads == 0 ? available_cores() : threads), workers_(pool_.size()) {}

void Session::check(const TokenBatch& batch) const {
  for (size_t s = 0; s < batch.sequences(); ++s) {
    if (batch.length(s) == 0 || batch.length(s) > model_.max_tokens()) {
      fail(Errc::usage,
           message("sequence ", s, " has ", batch.length(s), " tokens, must be in [1, ", model_.max_tokens(), "]"));
    }
  }
  for (const int32_t id : batch.ids) {
    if (id < 0 || static_cast<size_t>(id) >= model_.vocabulary_size()) {
      fail(Errc::usage, message("token id ", id, " is outside the vocabulary of ", model_.vocabulary_size()));
    }
  }
  if (!batch.segments.empty() && batch.segments.size() != batch.ids.size()) {
    fail(Errc::usage, message("there are ", batch.segments.size(), " segment ids for ", batch.ids.size(), " tokens"));
  }
  for (const int32_t id : batch.segments) {
    if (id < 0 || static_cast<size_t>(id) >= model_.segment_kinds()) {
      fail(Errc::usage, message("segment id ", id, " is outside the table of ", model_.segment_kinds()));
    }
  }
}

void Session::reserve(const std::vector<Chunk>& chunks, size_t longest, bool one_each) {
  size_t floats = 0;
  for (const Chunk& chunk : chunks) {
    floats = std::max(floats, chunk.tokens() * plan_.token_columns + chunk.sequences * plan_.sequence_columns);
  }
  const size_t attention =
      plan_.head_width == 0 ? 0 : model_.row_kernels().attention_scratch_bytes(longest, plan_.head_width);
  for (size_t i = 0; i < workers_.size(); ++i) {
    Worker& worker = workers_[i];
    if (i == 0 || one_each) grow(worker.workspace, floats);
    grow(worker.block, plan_.block_columns * kBlockRows);
    grow(worker.quantized, plan_.quantized_stride * kBlockRows);
    grow(worker.scales, kBlockRows);
    grow(worker.zeros, kBlockRows);
    grow(worker.scratch, std::max(plan_.scratch_bytes, attention));
    grow(worker.table_row, plan_.table_width);
  }
}

void Session::run(const TokenBatch& batch, std::span<const float* const> inputs, std::span<float* const> outputs) {
  check(batch);
  const size_t target = std::clamp(batch.tokens() / (4 * pool_.size()), kMinChunkTokens, kMaxChunkTokens);
  std::vector<Chunk> chunks;
  size_t longest = 0;
  for (size_t s = 0; s < batch.sequences(); ++s) {
    if (chunks.empty() || chunks.back().tokens() + batch.length(s) > target) {
      chunks.push_back({&batch, inputs, outputs, s, 0});
    }
    ++chunks.back().sequences;
    longest = std::max(longest, batch.length(s));
  }
  const bool one_each = chunks.size() >= pool_.size();
  reserve(chunks, longest, one_each);
  if (one_each) {
    pool_.parallel_for(chunks.size(), [&](size_t i, size_t w) { run_chunk(chunks[i], workers_[w], true); });
  } else {
    for (const Chunk& chunk : chunks) run_chunk(chunk, workers_[0], false);
  }
}

std::vector<float> Session::embed(const TokenBatch& batch) {
  const Program& program = model_.program();
  const Value& out = program.values[program.outputs.at(0)];
  if (program.outputs.size() != 1 || out.rows != RowKind::sequences || !program.inputs.empty()) {
    fail(Errc::usage, "this model does not give one embedding for each text");
  }
  std::vector<float> result(batch.sequences() * out.width);
  float* const outputs[] = {result.data()};
  run(batch, {}, outputs);
  return result;
}

float* Session::address(const Chunk& chunk, uint32_t value, size_t row, const Worker& home, const Worker& block) const {
  const Place& place = plan_.places[value];
  const size_t first = place.rows == RowKind::tokens ? chunk.first_token() : chunk.first_sequence;
  switch (place.home) {
    case Home::input:
      return const_cast<float*>(chunk.inputs[place.column]) + (first + row) * place.width;
    case Home::output:
      return chunk.outputs[place.column] + (first + row) * place.width;
    case Home::block:
      return const_cast<float*>(block.block.data()) + place.column * kBlockRows;
    case Home::workspace:
      break;
  }
  const size_t before = place.rows == RowKind::tokens ? 0 : chunk.tokens() * plan_.token_columns;
  return const_cast<float*>(home.workspace.data()) + before + place.column * chunk.rows(place.rows) + row * place.width;
}

// `alone`: this worker runs the chunk by itself; otherwise all of them share its segments.
void Session::run_chunk(const Chunk& chunk, Worker& worker, bool alone) {
  for (const Segment& segment : plan_.segments) {
    if (segment.kind == SegmentKind::rows) run_rows(chunk, segment, worker, alone);
    if (segment.kind == SegmentKind::attention) run_attention(chunk, segment.op, worker, alone);
    if (segment.kind == SegmentKind::pool) run_pool(chunk, segment.op, worker);
  }
}

void Session::run_rows(const Chunk& chunk, const Segment& segment, Worker& worker, bool alone) {
  const size_t total = chunk.rows(segment.rows);
  const size_t sharers = alone ? 1 : pool_.size();
  const size_t blocks = std::max(ceil_div(total, kBlockRows), std::min(sharers, total));
  const size_t rows = std::min<size_t>(kBlockRows, round_up(ceil_div(total, blocks), blocks > 1 ? 8 : 1));
  const auto run_block = [&](size_t index, Worker& runner) {
    const size_t first = index * rows;
    const Rows block{&chunk, &worker, &runner, first, std::min(rows, total - first)};
    for (const Step& step : segment.steps) run_step(step, block);
  };
  const size_t count = ceil_div(total, rows);
  if (alone) {
    for (size_t i = 0; i < count; ++i) run_block(i, worker);
  } else {
    pool_.parallel_for(count, [&](size_t i, size_t w) { run_block(i, workers_[w]); });
  }
}

void Session::gather(const Step& step, const Rows& rows) {
  const Chunk& chunk = *rows.chunk;
  const TokenBatch& batch = *chunk.batch;
  float* y = address(chunk, step.output, rows.first, *rows.home, *rows.block);
  size_t token = chunk.first_token() + rows.first;
  size_t sequence =
      static_cast<size_t>(std::upper_bound(batch.starts.begin(), batch.starts.end(), token) - batch.starts.begin() - 1);
  for (size_t i = 0; i < rows.count; ++i, ++token) {
    while (token >= batch.starts[sequence + 1]) ++sequence;
    size_t index = token - batch.starts[sequence];
    if (step.stream == Stream::tokens) index = static_cast<size_t>(batch.ids[token]);
    if (step.stream == Stream::segments)
      index = batch.segments.empty() ? 0 : static_cast<size_t>(batch.segments[token]);
    step.table->gather(index, rows.block->table_row.data(), y + i * step.table->width());
  }
}

void Session::run_step(const Step& step, const Rows& rows) {
  const kernels::RowKernels& kernels = model_.row_kernels();
  Worker& worker = *rows.block;
  const auto at = [&](uint32_t value) {
    return value == kNone ? nullptr : address(*rows.chunk, value, rows.first, *rows.home, worker);
  };
  const float* a = at(step.a);
  const float* b = at(step.b);
  float* y = at(step.output);
  const size_t in = step.a == kNone ? 0 : plan_.places[step.a].width;
  const size_t out = step.output == kNone ? 0 : plan_.places[step.output].width;
  const size_t n = rows.count;
  switch (step.kind) {
    case StepKind::gather:
      gather(step, rows);
      break;
    case StepKind::quantize:
      kernels.quantize(a, in, n, in, worker.quantized.data(), plan_.quantized_stride, worker.scales.data(),
                       worker.zeros.data());
      break;
    case StepKind::linear:
      if (step.linear->is_integer()) {
        step.linear->run({worker.quantized.data(), plan_.quantized_stride, worker.scales.data(), worker.zeros.data(), n,
                          nullptr, y, out, step.epilogue, worker.scratch.data()});
      } else {
        step.linear->run(a, in, n, step.epilogue, y, out);
      }
      break;
    case StepKind::add_layer_norm:
      kernels.add_layer_norm(a, in, b, in, n, in, step.gamma, step.beta, step.epsilon, y, out);
      break;
    case StepKind::activate:
      kernels.activate(step.epilogue, a, in, n, in, y, out);
      break;
    case StepKind::add:
      kernels.add(a, in, b, in, n, in, y, out);
      break;
    case StepKind::normalize:
      for (size_t i = 0; i < n; ++i) normalize_row(a + i * in, in, step.epsilon, y + i * out);
      break;
  }
}

void Session::run_attention(const Chunk& chunk, const Op& op, Worker& worker, bool alone) {
  const size_t width = plan_.places[op.output].width;
  const size_t head_width = width / op.heads;
  struct Task {
    size_t first_row, length, first_query, queries;
  };
  std::vector<Task> tasks;
  for (size_t s = 0; s < chunk.sequences; ++s) {
    const size_t first = chunk.batch->starts[chunk.first_sequence + s] - chunk.first_token();
    const size_t length = chunk.batch->length(chunk.first_sequence + s);
    // Keys are arranged once for each call, so queries are split only where there are too few heads to share.
    const size_t step = alone || op.heads >= 2 * pool_.size() ? length : kQueryBlock;
    for (size_t q = 0; q < length; q += step) tasks.push_back({first, length, q, std::min(step, length - q)});
  }
  const auto run_task = [&](size_t index, Worker& runner) {
    const Task& task = tasks[index / op.heads];
    const size_t offset = index % op.heads * head_width;
    const auto at = [&](uint32_t value) { return address(chunk, value, task.first_row, worker, worker) + offset; };
    model_.row_kernels().attention({at(op.inputs[0]), at(op.inputs[1]), at(op.inputs[2]), width, width, width,
                                    task.length, head_width, task.first_query, task.queries,
                                    1.0f / std::sqrt(static_cast<float>(head_width)), at(op.output), width,
                                    runner.scratch.data()});
  };
  const size_t count = tasks.size() * op.heads;
  if (alone) {
    for (size_t i = 0; i < count; ++i) run_task(i, worker);
  } else {
    pool_.parallel_for(count, [&](size_t i, size_t w) { run_task(i, workers_[w]); });
  }
}

void Session::run_pool(const Chunk& chunk, const Op& op, Worker& worker) {
  const size_t width = plan_.places[op.output].width;
  for (size_t s = 0; s < chunk.sequences; ++s) {
    const size_t first = chunk.batch->starts[chunk.first_sequence + s] - chunk.first_token();
    pool_rows(static_cast<Pooling>(op.mode), address(chunk, op.inputs[0], first, worker, worker),
              chunk.batch->length(chunk.first_sequence + s), width, address(chunk, op.output, s, worker, worker));
  }
}

}  // namespace lathe
