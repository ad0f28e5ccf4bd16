#include "runtime/session.h"

#include <algorithm>
#include <cmath>

#include "runtime/cpu/session_parts.h"

namespace lathe {
namespace {

// Tokens that go through the whole program together: enough to hide the streaming of the weights, few enough for
// their activations to stay in the cache.
constexpr size_t kMinChunkTokens = 64;
constexpr size_t kMaxChunkTokens = 256;
// So few rows are not worth a thread each: the outputs of every layer are shared out instead, and each weight is read
// by one thread alone.
constexpr size_t kTeamRows = 8;

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

}  // namespace

Session::Session(const Model& model, size_t threads)
    : model_(model), plan_(model.plan()), pool_(threads == 0 ? available_cores() : threads), workers_(pool_.size()) {}

void Session::check(const TokenBatch& batch, const RunOptions& options) const {
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
  if (options.cache != nullptr) check_cache(batch, options);
}

void Session::check_cache(const TokenBatch& batch, const RunOptions& options) const {
  if (!plan_.causal) fail(Errc::usage, "a cache needs a program whose attention is causal");
  if (!options.slots.empty() && options.slots.size() != batch.sequences()) {
    fail(Errc::usage, message("there are ", options.slots.size(), " slots for ", batch.sequences(), " sequences"));
  }
  std::vector<bool> used(options.cache->sequences(), false);
  for (size_t s = 0; s < batch.sequences(); ++s) {
    const size_t slot = slot_of(options, s);
    if (slot >= used.size() || used[slot]) {
      fail(Errc::usage, message("slot ", slot, " of sequence ", s, " is taken or not below ", used.size()));
    }
    used[slot] = true;
    const size_t length = options.cache->length(slot) + batch.length(s);
    const size_t most = std::min(options.cache->capacity(), model_.max_tokens());
    if (length > most) {
      fail(Errc::usage, message("sequence ", s, " would have ", length, " tokens, must be at most ", most));
    }
  }
}

void Session::set_positions(const TokenBatch& batch, const RunOptions& options) {
  positions_.resize(batch.tokens());
  for (size_t s = 0; s < batch.sequences(); ++s) {
    size_t past = 0;
    if (options.cache != nullptr) past = options.cache->length(slot_of(options, s));
    for (size_t i = 0; i < batch.length(s); ++i) positions_[batch.starts[s] + i] = static_cast<uint32_t>(past + i);
  }
}

void Session::reserve(const std::vector<Chunk>& chunks, size_t longest, bool one_each) {
  size_t floats = 0;
  size_t turns = 0;
  for (const Chunk& chunk : chunks) {
    floats = std::max(floats, chunk.tokens() * plan_.token_columns + chunk.sequences * plan_.sequence_columns);
    turns = std::max(turns, chunk.tokens() * plan_.turn_columns);
  }
  const bool cached = !chunks.empty() && chunks[0].options->cache != nullptr;
  size_t attention = 0;
  if (plan_.head_width != 0) {
    attention = round_up(model_.row_kernels().attention_scratch_bytes(longest, plan_.head_width), 64);
    if (cached) {
      attention += 2 * longest * plan_.head_width * sizeof(float);
      attention = std::max(attention, model_.row_kernels().attention_cached_scratch_bytes(longest, plan_.head_width));
    }
  }
  for (size_t i = 0; i < workers_.size(); ++i) {
    Worker& worker = workers_[i];
    if (i == 0 || one_each) {
      grow(worker.workspace, floats);
      grow(worker.turns, turns);
    }
    grow(worker.block, plan_.block_columns * kBlockRows);
    grow(worker.quantized, plan_.quantized_stride * 2 * kBlockRows);
    grow(worker.scales, 2 * kBlockRows);
    grow(worker.zeros, 2 * kBlockRows);
    grow(worker.pairs, plan_.pair_width * 2 * kPairRows);
    grow(worker.scratch, std::max(plan_.scratch_bytes, attention));
    grow(worker.table_row, plan_.table_width);
  }
}

void Session::run(const TokenBatch& batch, std::span<const float* const> inputs, std::span<float* const> outputs,
                  const RunOptions& options) {
  check(batch, options);
  set_positions(batch, options);
  const size_t target = std::clamp(batch.tokens() / (4 * pool_.size()), kMinChunkTokens, kMaxChunkTokens);
  std::vector<Chunk> chunks;
  size_t longest = 0;
  for (size_t s = 0; s < batch.sequences(); ++s) {
    if (chunks.empty() || chunks.back().tokens() + batch.length(s) > target) {
      chunks.push_back({&batch, inputs, outputs, &options, s, 0});
    }
    ++chunks.back().sequences;
    longest = std::max<size_t>(longest, positions_[batch.starts[s + 1] - 1] + 1);
  }
  const bool one_each = chunks.size() >= pool_.size();
  reserve(chunks, longest, one_each);
  if (one_each && (pool_.size() == 1 || chunks.size() > 1)) {
    pool_.parallel_for(chunks.size(), [&](size_t i, size_t w) { run_chunk(chunks[i], {this, &workers_[w]}); });
  } else if (!chunks.empty() && chunks.size() == 1 && chunks[0].tokens() <= kTeamRows) {
    Barrier barrier(pool_.size());
    pool_.together([&](size_t rank) { run_chunk(chunks[0], {this, &workers_[0], Crew::Kind::team, rank, &barrier}); });
  } else {
    for (const Chunk& chunk : chunks) run_chunk(chunk, {this, &workers_[0], Crew::Kind::caller});
  }
  if (options.cache == nullptr) return;
  for (size_t s = 0; s < batch.sequences(); ++s) {
    const size_t slot = slot_of(options, s);
    options.cache->set_length(slot, options.cache->length(slot) + batch.length(s));
  }
}

std::vector<float> Session::embed(const TokenBatch& batch) {
  const Program& program = model_.program();
  const Value& out = program.values[program.outputs.at(0)];
  if (program.outputs.size() != 1 || out.rows != RowKind::sequences || !program.inputs.empty()) {
    fail(Errc::usage, "this model does not give one embedding for each text");
  }
  std::vector<float> result(batch.sequences() * out.shape.size());
  float* const outputs[] = {result.data()};
  run(batch, {}, outputs);
  return result;
}

float* Session::address(uint32_t value, const Rows& rows) const {
  const Chunk& chunk = *rows.chunk;
  const Place& place = plan_.places[value];
  const size_t first = place.rows == RowKind::tokens ? chunk.first_token() : chunk.first_sequence;
  switch (place.home) {
    case Home::input:
      return const_cast<float*>(chunk.inputs[place.column]) + (first + rows.range.first) * place.width;
    case Home::output:
      return chunk.outputs[place.column] + rows.range.output * place.width;
    case Home::block:
      return rows.block->block.data() + place.column * kBlockRows;
    case Home::workspace:
      break;
  }
  const size_t before = place.rows == RowKind::tokens ? 0 : chunk.tokens() * plan_.token_columns;
  return rows.home->workspace.data() + before + place.column * chunk.rows(place.rows) + rows.range.first * place.width;
}

void Session::run_chunk(const Chunk& chunk, const Crew& crew) {
  if (!plan_.turns.empty()) fill_turns(chunk, crew);
  for (size_t i = 0; i < plan_.segments.size(); ++i) {
    const Segment& segment = plan_.segments[i];
    if (segment.kind == SegmentKind::rows) run_rows(chunk, i, crew);
    if (segment.kind == SegmentKind::attention) run_attention(chunk, segment, crew);
    if (segment.kind == SegmentKind::pool)
      crew.each(1, [&](size_t, Worker&) { run_pool(chunk, segment.op, *crew.home); });
  }
}

// The angle is rounded to f32 before its cosine is taken, as models are trained.
void Session::fill_turns(const Chunk& chunk, const Crew& crew) {
  constexpr size_t kRows = 64;
  const size_t tokens = chunk.tokens();
  crew.each(ceil_div(tokens, kRows), [&](size_t block, Worker&) {
    for (const Turns& turns : plan_.turns) {
      const std::vector<float>& frequencies = *turns.frequencies;
      for (size_t row = block * kRows; row < std::min(tokens, (block + 1) * kRows); ++row) {
        float* out = crew.home->turns.data() + turns.column * tokens + row * 2 * frequencies.size();
        const auto position = static_cast<float>(positions_[chunk.first_token() + row]);
        for (size_t i = 0; i < frequencies.size(); ++i) {
          const double angle = position * frequencies[i];
          out[i] = static_cast<float>(std::cos(angle));
          out[frequencies.size() + i] = static_cast<float>(std::sin(angle));
        }
      }
    }
  });
}

void Session::run_rows(const Chunk& chunk, size_t index, const Crew& crew) {
  const Segment& segment = plan_.segments[index];
  const size_t total = chunk.rows(segment.rows);
  const size_t first_output = segment.rows == RowKind::tokens ? chunk.first_token() : chunk.first_sequence;
  std::vector<RowRange> ranges;
  size_t wanted = total;
  if (chunk.picks_last() && index >= plan_.tail && segment.rows == RowKind::tokens) {
    wanted = chunk.sequences;
    for (size_t s = chunk.first_sequence; s < chunk.first_sequence + chunk.sequences; ++s) {
      ranges.push_back({chunk.batch->starts[s + 1] - 1 - chunk.first_token(), 1, s});
    }
  } else {
    const size_t blocks = std::max(ceil_div(total, kBlockRows), std::min(crew.sharers(), total));
    size_t rows = std::min<size_t>(kBlockRows, round_up(ceil_div(total, blocks), blocks > 1 ? 8 : 1));
    if (total <= kTeamRows && crew.kind != Crew::Kind::alone) rows = total;
    const size_t start =
        chunk.options->last_only && segment.rows == RowKind::tokens ? chunk.first_sequence : first_output;
    for (size_t row = 0; row < total; row += rows) {
      ranges.push_back({row, std::min(rows, total - row), start + row});
    }
  }
  if (crew.kind == Crew::Kind::team) {
    for (const RowRange& range : ranges) run_side_by_side(segment, {&chunk, crew.home, crew.home, range}, crew);
  } else if (crew.kind == Crew::Kind::caller && wanted <= kTeamRows) {
    Barrier barrier(pool_.size());
    pool_.together([&](size_t rank) {
      const Crew team{this, crew.home, Crew::Kind::team, rank, &barrier};
      for (const RowRange& range : ranges) run_side_by_side(segment, {&chunk, crew.home, crew.home, range}, team);
    });
  } else {
    crew.each(ranges.size(), [&](size_t i, Worker& runner) {
      const Rows rows{&chunk, crew.home, &runner, ranges[i]};
      for (const Step& step : segment.steps) run_step(step, rows);
    });
  }
}

// Every worker computes its share of the outputs of the linear layers; the first one does what lies between.
void Session::run_side_by_side(const Segment& segment, const Rows& rows, const Crew& crew) {
  bool shared = false;          // the last step was a shared one, and nobody has waited since
  uint32_t last_input = kNone;  // what it read; another input may be what it wrote
  for (const Step& step : segment.steps) {
    if (step.kind == StepKind::linear) {
      if (!shared || step.a != last_input) crew.barrier->wait();
      last_input = step.a;
      run_linear(step, rows, workers_[crew.rank], {crew.rank, pool_.size()});
      shared = true;
      continue;
    }
    if (shared) crew.barrier->wait();
    shared = false;
    if (crew.rank == 0) run_step(step, rows);
  }
  crew.barrier->wait();
}

void Session::run_pool(const Chunk& chunk, const Op& op, Worker& worker) {
  const size_t width = plan_.places[op.output].width;
  for (size_t s = 0; s < chunk.sequences; ++s) {
    const size_t first = chunk.batch->starts[chunk.first_sequence + s] - chunk.first_token();
    const size_t length = chunk.batch->length(chunk.first_sequence + s);
    const Rows in{&chunk, &worker, &worker, {first, length, chunk.first_token() + first}};
    const Rows out{&chunk, &worker, &worker, {s, 1, chunk.first_sequence + s}};
    pool_rows(op.as<ops::Pool>()->pooling, address(op.inputs[0], in), length, width, address(op.output, out));
  }
}

}  // namespace lathe
