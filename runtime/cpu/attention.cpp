#include "runtime/cpu/attention.h"

#include <algorithm>
#include <cmath>

#include "runtime/cpu/cache_memory.h"
#include "runtime/kv_cache.h"

namespace lathe::cpu {
namespace {

constexpr size_t kQueryBlock = 64;

/// Queries [first_query, first_query + queries) of a sequence for the heads that share one head of keys and values.
struct AttentionTask {
  size_t sequence;  // in the batch
  size_t kv_head;
  size_t first_query;
  size_t queries;
  bool all_queries;  // no other task reads these keys
};

// One attention over one chunk.
struct AttentionRun {
  const ChunkRun& run;
  const AttentionSegment& segment;
  CacheMemory* cache = nullptr;
  size_t head_width = 0;
  size_t group = 0;  // heads that share one head of keys and values

  const TokenBatch& tokens() const { return run.chunk.batch->tokens; }
  // Where row `row` of the chunk stands.
  float* at(uint32_t value, size_t row) const {
    return address(run, *run.team.owner, value, {row, 1, run.chunk.first(RowKind::tokens) + row});
  }
  CacheHead head(const AttentionTask& task) const {
    return {segment.layer, run.chunk.batch->options.slot(task.sequence), task.kv_head};
  }
  // The first token that a query at `position` sees.
  size_t first_seen(size_t position) const {
    return segment.window == 0 || position < segment.window ? 0 : position - segment.window + 1;
  }
  float scale() const { return 1.0f / std::sqrt(static_cast<float>(head_width)); }
};

// Keys are arranged once for each task, so queries are split only where there are too few heads to share.
std::vector<AttentionTask> tasks_of(const AttentionRun& a) {
  std::vector<AttentionTask> tasks;
  const size_t kv_heads = a.segment.kv_heads;
  const size_t sharers = a.run.team.size();
  const size_t first = a.run.chunk.first(RowKind::sequences);
  for (size_t s = first; s < first + a.run.chunk.count(RowKind::sequences); ++s) {
    const size_t length = a.tokens().length(s);
    const size_t step = sharers == 1 || kv_heads >= 2 * sharers ? length : kQueryBlock;
    for (size_t q = 0; q < length; q += step) {
      for (size_t h = 0; h < kv_heads; ++h) tasks.push_back({s, h, q, std::min(step, length - q), step >= length});
    }
  }
  return tasks;
}

void store_keys(const AttentionRun& a, const AttentionTask& task) {
  const size_t stride = a.run.plan.values[a.segment.key].width;
  const size_t row = a.run.chunk.row_of(task.sequence);
  const float* k = a.at(a.segment.key, row) + task.kv_head * a.head_width;
  const float* v = a.at(a.segment.value, row) + task.kv_head * a.head_width;
  a.cache->store(a.head(task), a.run.chunk.past_of(task.sequence), a.tokens().length(task.sequence), k, stride, v,
                 stride);
}

// One token: the heads that share keys look at the cache together.
void attend_one(const AttentionRun& a, const AttentionTask& task, WorkerMemory& worker) {
  const size_t row = a.run.chunk.row_of(task.sequence) + task.first_query;
  const size_t position = a.run.chunk.past_of(task.sequence) + task.first_query;
  const size_t offset = task.kv_head * a.group * a.head_width;
  kernels::CachedAttentionArgs args{};
  args.head_width = a.head_width;
  args.heads = a.group;
  args.q = a.at(a.segment.query, row) + offset;
  args.y = a.at(a.segment.output, row) + offset;
  args.end = position + 1;
  args.first = a.first_seen(position);
  args.scale = a.scale();
  args.scratch = worker.scratch.data();
  a.cache->describe(a.head(task), args);
  a.run.kernels.attention_cached(args);
}

// Keys and values of this batch alone.
void use_batch(const AttentionRun& a, const AttentionTask& task, kernels::AttentionArgs& args) {
  const size_t row = a.run.chunk.row_of(task.sequence);
  args.length = a.tokens().length(task.sequence);
  args.position = task.first_query;
  args.k_stride = args.v_stride = a.run.plan.values[a.segment.key].width;
  args.k = a.at(a.segment.key, row) + task.kv_head * a.head_width;
  args.v = a.at(a.segment.value, row) + task.kv_head * a.head_width;
}

// Keys and values that the queries see, from the cache; they are expanded to f32 after the scratch of the kernel.
void use_cache(const AttentionRun& a, const AttentionTask& task, WorkerMemory& worker, kernels::AttentionArgs& args) {
  const size_t first = a.run.chunk.past_of(task.sequence) + task.first_query;
  const size_t begin = a.first_seen(first);
  args.length = first + task.queries - begin;
  args.position = first - begin;
  const size_t scratch = round_up(a.run.kernels.attention_scratch_bytes(args.length, a.head_width), 64);
  auto* keys = reinterpret_cast<float*>(worker.scratch.data() + scratch);
  float* values = keys + args.length * a.head_width;
  a.cache->load_keys(a.head(task), begin, args.length, keys);
  a.cache->load_values(a.head(task), begin, args.length, values);
  args.k = keys;
  args.v = values;
  args.k_stride = args.v_stride = a.head_width;
}

void attend(const AttentionRun& a, const AttentionTask& task, WorkerMemory& worker) {
  if (a.cache != nullptr && task.queries == 1) return attend_one(a, task, worker);
  kernels::AttentionArgs args{};
  args.head_width = a.head_width;
  args.queries = task.queries;
  args.scale = a.scale();
  args.scratch = worker.scratch.data();
  args.causal = a.segment.causal;
  args.window = a.segment.window;
  args.q_stride = args.y_stride = a.run.plan.values[a.segment.output].width;
  if (a.cache == nullptr) {
    use_batch(a, task, args);
  } else {
    use_cache(a, task, worker, args);
  }
  const size_t row = a.run.chunk.row_of(task.sequence) + task.first_query;
  const float* q = a.at(a.segment.query, row) + task.kv_head * a.group * a.head_width;
  float* y = a.at(a.segment.output, row) + task.kv_head * a.group * a.head_width;
  for (size_t h = 0; h < a.group; ++h) {
    args.q = q + h * a.head_width;
    args.y = y + h * a.head_width;
    a.run.kernels.attention(args);
  }
}

}  // namespace

void run_attention(const ChunkRun& run, const AttentionSegment& segment) {
  const KvCache* cache = run.chunk.batch->options.cache;
  AttentionRun a{run, segment};
  // The session has checked that this executor made the cache.
  if (cache != nullptr) a.cache = &static_cast<CacheMemory&>(cache->memory());
  a.head_width = run.plan.values[segment.output].width / segment.heads;
  a.group = segment.heads / segment.kv_heads;
  const std::vector<AttentionTask> tasks = tasks_of(a);
  // Where tasks share keys, all keys are stored before the first query looks at them.
  const bool stores_first = cache != nullptr && std::any_of(tasks.begin(), tasks.end(), [](const AttentionTask& task) {
                              return !task.all_queries;
                            });
  if (stores_first) {
    run.team.for_each(tasks.size(), [&](size_t i, WorkerMemory&) {
      if (tasks[i].first_query == 0) store_keys(a, tasks[i]);
    });
  }
  run.team.for_each(tasks.size(), [&](size_t i, WorkerMemory& worker) {
    if (cache != nullptr && !stores_first) store_keys(a, tasks[i]);
    attend(a, tasks[i], worker);
  });
}

}  // namespace lathe::cpu
