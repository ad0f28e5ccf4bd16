#include "runtime/cuda/run_step.h"

#include <algorithm>
#include <cmath>

#include "runtime/cuda/launch.h"
#include "runtime/cuda/linear.h"

namespace lathe::cuda {
namespace {

// What a step works on: its values and how many rows they have.
struct Operands {
  const float* a = nullptr;
  const float* b = nullptr;
  float* y = nullptr;
  uint32_t in = 0;
  uint32_t out = 0;
  uint32_t rows = 0;
};

Operands operands_of(const Step& step, const PlanRun& run) {
  const auto at = [&](uint32_t value) { return value == kNone ? nullptr : run.workspace.at(run.plan.values[value]); };
  const auto width = [&](uint32_t value) { return value == kNone ? 0 : run.plan.values[value].width; };
  return {at(step.inputs[0]),    at(step.inputs[1]), at(step.output),
          width(step.inputs[0]), width(step.output), static_cast<uint32_t>(count_of(run.counts, step.rows))};
}

const int32_t* stream_of(const BatchInfo& info, Stream stream) {
  switch (stream) {  // a stream that is missing here does not compile
    case Stream::tokens:
      return info.ids;
    case Stream::positions:
      return info.positions;
    case Stream::segments:
      return info.segments;
  }
  return nullptr;  // not reached: every stream returns
}

Grid row_grid(size_t rows) { return {blocks_for(rows, kWarpsOfBlock)}; }

// ---- one function for each kind of step ----

void run_kind(const GatherStep& gather, const Step&, const PlanRun& run, const Operands& o) {
  launch<Gather>(run.queue, row_grid(o.rows), {gather.table, stream_of(run.info, gather.stream), o.rows, o.y});
}

QuantizedRows quantized_rows(const PlanRun& run, uint32_t width) {
  QuantizedRows rows = run.workspace.quantized;
  rows.stride = static_cast<uint32_t>(round_up(width, 64));
  return rows;
}

void run_kind(const QuantizeStep& quantize, const Step&, const PlanRun& run, const Operands& o) {
  const uint32_t wide = quantize.bits == InputBits::sixteen ? 1 : 0;
  launch<Quantize>(run.queue, row_grid(o.rows), {o.a, o.rows, o.in, wide, quantized_rows(run, o.in)});
}

IntegerLinearArgs integer_args(const LinearStep& linear, const PlanRun& run, const Operands& o) {
  const uint32_t wide = linear.bits == InputBits::sixteen ? 1 : 0;
  return {linear.weight, quantized_rows(run, o.in), linear.bias, o.b, o.rows * (1 + wide),
          wide,          linear.activation,         o.y};
}

void run_kind(const LinearStep& linear, const Step&, const PlanRun& run, const Operands& o) {
  if (!is_integer(linear.weight.format)) {
    return launch_linear(run.queue, {linear.weight, o.a, linear.bias, o.b, o.rows, linear.activation, o.y});
  }
  launch_linear(run.queue, integer_args(linear, run, o), run.workspace.expanded, run.multiprocessors);
}

// Launches a kernel that writes rows together with their rounding.
template <class Kernel>
void launch_rounding(const Step& step, const PlanRun& run, const Operands& o, const typename Kernel::Args& args) {
  const uint32_t wide = *step.rounds == InputBits::sixteen ? 1 : 0;
  launch<ThenQuantize<Kernel>>(run.queue, row_grid(o.rows),
                               {args, {o.y, o.rows, o.out, wide, quantized_rows(run, o.out)}});
}

void run_kind(const LayerNormStep& norm, const Step& step, const PlanRun& run, const Operands& o) {
  const LayerNormArgs args{o.a, o.b, norm.gamma, norm.beta, o.rows, o.in, norm.epsilon, o.y};
  if (step.rounds) return launch_rounding<LayerNorm>(step, run, o, args);
  launch<LayerNorm>(run.queue, row_grid(o.rows), args);
}

void run_kind(const RmsNormStep& norm, const Step& step, const PlanRun& run, const Operands& o) {
  const uint32_t parts = o.rows * norm.heads;
  const RmsNormArgs args{o.a, norm.gamma, parts, o.in / norm.heads, norm.epsilon, o.y};
  if (step.rounds) return launch_rounding<RmsNorm>(step, run, o, args);
  launch<RmsNorm>(run.queue, row_grid(parts), args);
}

void run_kind(const ElementwiseStep& elementwise, const Step& step, const PlanRun& run, const Operands& o) {
  const uint64_t count = static_cast<uint64_t>(o.rows) * o.out;
  const ElementwiseArgs args{o.a, o.b, count, elementwise.combine, elementwise.activation, o.y};
  if (step.rounds) return launch_rounding<CombineRows>(step, run, o, {args, o.rows, o.out});
  launch<Elementwise>(run.queue, {blocks_for(count, kWholeBlock)}, args);
}

void run_kind(const NormalizeStep& normalize, const Step&, const PlanRun& run, const Operands& o) {
  launch<Normalize>(run.queue, row_grid(o.rows), {o.a, o.rows, o.in, normalize.epsilon, o.y});
}

RopeArgs rope_args(const RopeStep& rope, const PlanRun& run, const Operands& o) {
  const uint32_t neighbours = rope.order == RopePairs::neighbours ? 1 : 0;
  return {o.a, rope.frequencies, run.info.positions, o.rows, rope.heads, o.in / rope.heads, rope.pairs, neighbours,
          o.y};
}

void run_kind(const RopeStep& rope, const Step&, const PlanRun& run, const Operands& o) {
  const RopeArgs args = rope_args(rope, run, o);
  launch<Rope>(run.queue, {o.rows}, args, Rope::shared_bytes(args));
}

void run_kind(const PoolStep& pool, const Step&, const PlanRun& run, const Operands& o) {
  static_assert(static_cast<uint32_t>(Pool::max) == static_cast<uint32_t>(Pooling::max));
  launch<PoolRows>(run.queue, {blocks_for(o.out, kWholeBlock), o.rows},
                   {o.a, run.info.starts, o.rows, o.out, static_cast<Pool>(pool.pooling), o.y});
}

AttentionArgs attention_args(const AttentionStep& attention, const Step& step, const PlanRun& run, const Operands& o) {
  AttentionArgs args{};
  args.sequences = {run.info.starts, run.info.past, run.info.slots,
                    static_cast<uint32_t>(count_of(run.counts, RowKind::sequences))};
  if (run.cache != nullptr) args.keys = run.cache->layer(attention.layer);
  args.keys.batch_keys = o.b;
  args.keys.batch_values = run.workspace.at(run.plan.values[step.inputs[2]]);
  args.q = o.a;
  args.y = o.y;
  args.heads = attention.heads;
  args.kv_heads = attention.kv_heads;
  args.head_width = attention.head_width;
  args.causal = attention.causal ? 1 : 0;
  args.window = attention.window;
  args.scale = 1.0f / std::sqrt(static_cast<float>(attention.head_width));
  args.partial = run.workspace.partial;
  args.splits = static_cast<uint32_t>(run.splits);
  return args;
}

StoreKeysArgs store_args(const AttentionArgs& args) {
  return {args.sequences, args.keys, args.kv_heads, args.head_width};
}

// A warp for each of so many heads of each token.
Grid head_grid(size_t heads, const PlanRun& run) {
  return {blocks_for(heads, kWarpsOfBlock), static_cast<unsigned>(run.longest),
          static_cast<unsigned>(count_of(run.counts, RowKind::sequences))};
}

// Attention over keys that are where they should be.
template <KeySource source>
void attend(const AttentionArgs& args, const PlanRun& run) {
  const auto sequences = args.sequences.sequences;
  const unsigned shared = attention_shared_bytes(args.head_width);
  const Grid each_query{blocks_for(run.longest, kQueriesOfBlock), args.heads, sequences};
  if constexpr (source == KeySource::batch) {
    launch<Attention<source>>(run.queue, each_query, args, shared);
  } else {
    if (run.longest > 1) return launch<Attention<source>>(run.queue, each_query, args, shared);
    const unsigned tiles = blocks_for(args.heads / args.kv_heads, kQueriesOfBlock);
    launch<SplitAttention<source>>(run.queue, {args.splits, args.kv_heads * tiles, sequences}, args, shared);
    launch<CombineSplits>(run.queue, {args.heads, sequences}, args);
  }
}

template <KeySource source>
void store_and_attend(const AttentionArgs& args, const PlanRun& run) {
  launch<StoreKeys<source>>(run.queue, head_grid(2 * args.kv_heads, run), store_args(args));
  attend<source>(args, run);
}

void run_kind(const AttentionStep& attention, const Step& step, const PlanRun& run, const Operands& o) {
  const AttentionArgs args = attention_args(attention, step, run, o);
  if (run.cache == nullptr) return attend<KeySource::batch>(args, run);
  if (run.cache->source() == KeySource::cache_f16) return store_and_attend<KeySource::cache_f16>(args, run);
  store_and_attend<KeySource::cache_int8>(args, run);
}

template <KeySource source>
void turn_store_and_attend(const RopeArgs& q, const RopeArgs& k, const AttentionArgs& attention, const PlanRun& run) {
  const RopeAndStoreArgs args{q, k, store_args(attention)};
  launch<RopeAndStore<source>>(run.queue, head_grid(q.heads + 2 * k.heads, run), args,
                               RopeAndStore<source>::shared_bytes(args));
  attend<source>(attention, run);
}

// The ropes of queries and keys and the attention over a cache, which begin at step `at`.
void run_roped_attention(size_t at, const PlanRun& run) {
  const Step* steps = &run.plan.steps[at];
  const auto rope = [&](const Step& step) {
    return rope_args(std::get<RopeStep>(step.kind), run, operands_of(step, run));
  };
  const AttentionArgs attention =
      attention_args(std::get<AttentionStep>(steps[2].kind), steps[2], run, operands_of(steps[2], run));
  if (run.cache->source() == KeySource::cache_f16) {
    return turn_store_and_attend<KeySource::cache_f16>(rope(steps[0]), rope(steps[1]), attention, run);
  }
  turn_store_and_attend<KeySource::cache_int8>(rope(steps[0]), rope(steps[1]), attention, run);
}

}  // namespace

size_t run_steps_at(size_t at, const PlanRun& run) {
  const std::vector<Step>& steps = run.plan.steps;
  if (steps[at].leads_to_attention && run.cache != nullptr) {
    run_roped_attention(at, run);
    return 3;
  }
  std::vector<IntegerLinearArgs> layers;
  for (size_t i = at; i < steps.size() && layers.size() < kMostSideBySide; ++i) {
    const auto* linear = std::get_if<LinearStep>(&steps[i].kind);
    if (linear == nullptr || !is_integer(linear->weight.format)) break;
    const Operands operands = operands_of(steps[i], run);
    const auto& first = std::get<LinearStep>(steps[at].kind);
    if (operands.rows > kFewRows || steps[i].inputs[0] != steps[at].inputs[0] || linear->bits != first.bits ||
        linear->weight.format != first.weight.format) {
      break;
    }
    layers.push_back(integer_args(*linear, run, operands));
    if (operands.b != nullptr) break;  // what it adds may die here, and the next layer may write to its place
  }
  if (layers.size() > 1) {
    launch_side_by_side(run.queue, layers);
    return layers.size();
  }
  const Operands operands = operands_of(steps[at], run);
  std::visit([&](const auto& kind) { run_kind(kind, steps[at], run, operands); }, steps[at].kind);
  return 1;
}

void find_top_tokens(const PlanRun& run) {
  const ValuePlace& output = run.plan.values[run.plan.outputs.at(0)];
  const auto rows = static_cast<uint32_t>(count_of(run.counts, RowKind::sequences));
  launch<Argmax>(run.queue, {rows}, {run.workspace.at(output), rows, output.width, run.workspace.top_tokens});
}

void select_last_tokens(const PlanRun& run) {
  const auto rows = static_cast<uint32_t>(count_of(run.counts, RowKind::sequences));
  for (const uint32_t value : run.plan.values_across) {
    const ValuePlace& place = run.plan.values[value];
    launch<Select>(run.queue, row_grid(rows),
                   {run.workspace.at(place), run.info.last, rows, place.width, run.workspace.selected});
    run.queue.copy(run.workspace.at(place), run.workspace.selected, sizeof(float) * rows * place.width);
  }
}

}  // namespace lathe::cuda
