// Attention: within the batch, or over what a cache remembers.

#include <algorithm>
#include <cmath>

#include "runtime/cpu/session_parts.h"

namespace lathe {
namespace {

constexpr size_t kQueryBlock = 64;

const ops::Attention& attributes_of(const Op& op) { return *op.as<ops::Attention>(); }

}  // namespace

/// Queries [first_query, first_query + queries) of a sequence for the heads that share one head of keys and values.
struct Session::AttentionTask {
  size_t sequence;  // in the batch
  size_t kv_head;
  size_t first_query;
  size_t queries;
  bool all_queries;  // so that nobody else reads these keys
};

std::vector<Session::AttentionTask> Session::attention_tasks(const Chunk& chunk, const Op& op, const Crew& crew) const {
  std::vector<AttentionTask> tasks;
  const uint32_t kv_heads = attributes_of(op).kv_heads;
  for (size_t s = chunk.first_sequence; s < chunk.first_sequence + chunk.sequences; ++s) {
    const size_t length = chunk.batch->length(s);
    // Keys are arranged once for each task, so queries are split only where there are too few heads to share.
    const size_t step = crew.sharers() == 1 || kv_heads >= 2 * crew.sharers() ? length : kQueryBlock;
    for (size_t q = 0; q < length; q += step) {
      for (size_t h = 0; h < kv_heads; ++h) tasks.push_back({s, h, q, std::min(step, length - q), step >= length});
    }
  }
  return tasks;
}

void Session::run_attention(const Chunk& chunk, const Segment& segment, const Crew& crew) {
  const std::vector<AttentionTask> tasks = attention_tasks(chunk, segment.op, crew);
  const bool stores_first = chunk.options->cache != nullptr &&
                            std::any_of(tasks.begin(), tasks.end(), [](const auto& task) { return !task.all_queries; });
  if (stores_first) {
    crew.each(tasks.size(), [&](size_t i, Worker&) {
      if (tasks[i].first_query == 0) store_keys(chunk, segment, tasks[i], crew);
    });
  }
  crew.each(tasks.size(), [&](size_t i, Worker& runner) {
    if (chunk.options->cache != nullptr && !stores_first) store_keys(chunk, segment, tasks[i], crew);
    attend(chunk, segment, tasks[i], crew, runner);
  });
}

void Session::store_keys(const Chunk& chunk, const Segment& segment, const AttentionTask& task, const Crew& crew) {
  const size_t width = plan_.places[segment.op.inputs[1]].width;
  const size_t head_width = width / attributes_of(segment.op).kv_heads;
  const size_t row = chunk.batch->starts[task.sequence] - chunk.first_token();
  const Rows rows{&chunk, crew.home, crew.home, {row, 0, chunk.first_token() + row}};
  const float* k = address(segment.op.inputs[1], rows) + task.kv_head * head_width;
  const float* v = address(segment.op.inputs[2], rows) + task.kv_head * head_width;
  chunk.options->cache->store({segment.layer, chunk.slot(task.sequence), task.kv_head},
                              positions_[chunk.batch->starts[task.sequence]], chunk.batch->length(task.sequence), k,
                              width, v, width);
}

// One token: its query heads that share keys look at the cache together.
void Session::attend_one(const Chunk& chunk, const Segment& segment, const AttentionTask& task, const Crew& crew,
                         Worker& runner) {
  const Op& op = segment.op;
  const size_t row = chunk.batch->starts[task.sequence] - chunk.first_token() + task.first_query;
  const Rows rows{&chunk, crew.home, crew.home, {row, 1, chunk.first_token() + row}};
  const size_t position = positions_[chunk.batch->starts[task.sequence]] + task.first_query;
  const ops::Attention& attention = attributes_of(op);
  kernels::CachedAttentionArgs args{};
  args.head_width = plan_.places[op.output].width / attention.heads;
  args.heads = attention.heads / attention.kv_heads;
  const size_t offset = task.kv_head * args.heads * args.head_width;
  args.q = address(op.inputs[0], rows) + offset;
  args.y = address(op.output, rows) + offset;
  args.end = position + 1;
  args.first = attention.window == 0 || position < attention.window ? 0 : position - attention.window + 1;
  args.scale = 1.0f / std::sqrt(static_cast<float>(args.head_width));
  args.scratch = runner.scratch.data();
  chunk.options->cache->describe({segment.layer, chunk.slot(task.sequence), task.kv_head}, args);
  model_.row_kernels().attention_cached(args);
}

void Session::attend(const Chunk& chunk, const Segment& segment, const AttentionTask& task, const Crew& crew,
                     Worker& runner) {
  if (chunk.options->cache != nullptr && task.queries == 1) return attend_one(chunk, segment, task, crew, runner);
  const Op& op = segment.op;
  const size_t width = plan_.places[op.output].width;
  const ops::Attention& attention = attributes_of(op);
  const size_t head_width = width / attention.heads;
  const size_t group = attention.heads / attention.kv_heads;
  const size_t row = chunk.batch->starts[task.sequence] - chunk.first_token();
  const auto at = [&](uint32_t value, size_t from) {
    return address(value, {&chunk, crew.home, crew.home, {from, 0, chunk.first_token() + from}});
  };
  kernels::AttentionArgs args{};
  args.length = chunk.batch->length(task.sequence);
  args.head_width = head_width;
  args.queries = task.queries;
  args.scale = 1.0f / std::sqrt(static_cast<float>(head_width));
  args.scratch = runner.scratch.data();
  args.causal = attention.mask == AttentionMask::causal;
  args.window = attention.window;
  args.position = task.first_query;
  args.k_stride = args.v_stride = plan_.places[op.inputs[1]].width;
  args.k = at(op.inputs[1], row) + task.kv_head * head_width;
  args.v = at(op.inputs[2], row) + task.kv_head * head_width;
  if (const KvCache* cache = chunk.options->cache; cache != nullptr) {
    const size_t first = positions_[chunk.batch->starts[task.sequence]] + task.first_query;
    const size_t begin = attention.window == 0 || first < attention.window ? 0 : first - attention.window + 1;
    args.length = first + task.queries - begin;
    args.position = first - begin;
    auto* keys = reinterpret_cast<float*>(
        runner.scratch.data() + round_up(model_.row_kernels().attention_scratch_bytes(args.length, head_width), 64));
    float* values = keys + args.length * head_width;
    const KvCache::Head head{segment.layer, chunk.slot(task.sequence), task.kv_head};
    cache->load_keys(head, begin, args.length, keys);
    cache->load_values(head, begin, args.length, values);
    args.k = keys;
    args.v = values;
    args.k_stride = args.v_stride = head_width;
  }
  const float* q = at(op.inputs[0], row + task.first_query) + task.kv_head * group * head_width;
  float* y = at(op.output, row + task.first_query) + task.kv_head * group * head_width;
  args.q_stride = args.y_stride = width;
  for (size_t h = 0; h < group; ++h) {
    args.q = q + h * head_width;
    args.y = y + h * head_width;
    model_.row_kernels().attention(args);
  }
}

}  // namespace lathe
