#include "runtime/cuda/context.h"

#include <algorithm>
#include <cstring>

#include "formats/artifact/bytes.h"
#include "formats/artifact/error.h"
#include "runtime/cuda/kernels/attention.h"
#include "runtime/kv_cache.h"

namespace lathe::cuda {
namespace {

constexpr size_t kChunkRows = 16384;  // tokens or samples that share the workspace; one sequence may have more

constexpr auto kTokens = static_cast<size_t>(RowKind::tokens);
constexpr auto kSequences = static_cast<size_t>(RowKind::sequences);
constexpr auto kSamples = static_cast<size_t>(RowKind::samples);

// The rows of a caller's matrix that belong to a chunk.
struct CallerRows {
  size_t first = 0;
  size_t count = 0;
};

CallerRows input_rows(const Chunk& chunk, RowKind rows) {
  const std::array<size_t, kRowKinds> firsts = {chunk.first_token, chunk.first_sequence, chunk.first_sample};
  return {firsts[static_cast<size_t>(rows)], count_of(chunk.counts, rows)};
}

// Of an output with a row for each token maybe only those of the last tokens.
CallerRows output_rows(const BatchRun& batch, const Chunk& chunk, RowKind rows) {
  return input_rows(chunk, batch.options.last_only && rows == RowKind::tokens ? RowKind::sequences : rows);
}

// What upload() puts at the start of the staging memory.
size_t uploaded_bytes(const Plan& plan, const Chunk& chunk) {
  size_t bytes = sizeof(int32_t) * batch_info_numbers(chunk.counts[kTokens], chunk.counts[kSequences]);
  for (const uint32_t value : plan.inputs) {
    const ValuePlace& place = plan.values[value];
    bytes += sizeof(float) * place.width * input_rows(chunk, place.rows).count;
  }
  return bytes;
}

const CacheMemory* cache_of(const BatchRun& batch) {
  // The session has checked that this executor made the cache.
  return batch.options.cache == nullptr ? nullptr : &static_cast<const CacheMemory&>(batch.options.cache->memory());
}

void fill_tokens(const BatchRun& batch, const Chunk& chunk, const BatchInfo& info) {
  const TokenBatch& tokens = batch.tokens;
  const size_t count = chunk.counts[kTokens];
  const auto copy = [&](const std::vector<int32_t>& from, int32_t* to) {
    std::fill_n(to, count, 0);
    if (!from.empty()) std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(chunk.first_token), count, to);
  };
  copy(tokens.ids, info.ids);
  copy(tokens.segments, info.segments);
}

// Returns the length of the longest sequence.
size_t fill_sequences(const BatchRun& batch, const Chunk& chunk, const BatchInfo& info) {
  size_t longest = 0;
  info.starts[0] = 0;
  for (size_t i = 0; i < chunk.counts[kSequences]; ++i) {
    const size_t sequence = chunk.first_sequence + i;
    const size_t slot = batch.options.slot(sequence);
    const size_t past = batch.options.cache == nullptr ? 0 : batch.options.cache->length(slot);
    const size_t length = batch.tokens.length(sequence);
    const auto start = static_cast<size_t>(info.starts[i]);
    for (size_t t = 0; t < length; ++t) info.positions[start + t] = static_cast<int32_t>(past + t);
    info.starts[i + 1] = static_cast<int32_t>(start + length);
    info.past[i] = static_cast<int32_t>(past);
    info.slots[i] = static_cast<int32_t>(slot);
    info.last[i] = static_cast<int32_t>(start + length - 1);
    longest = std::max(longest, length);
  }
  return longest;
}

// Enough blocks for every multiprocessor, and no split of fewer keys than a tile has.
size_t splits_for(const Device& device, const Plan& plan, const CacheMemory& cache, size_t sequences) {
  size_t blocks = 1;
  for (const AttentionStep& attention : plan.attentions) {
    blocks = std::max<size_t>(blocks, sequences * attention.kv_heads);
  }
  const size_t wanted = ceil_div(2 * device.facts().multiprocessors, blocks);
  return std::clamp<size_t>(std::min(wanted, cache.capacity() / kKeyTile), 1, kMostSplits);
}

}  // namespace

std::vector<Chunk> cut_into_chunks(const BatchRun& batch) {
  std::vector<Chunk> chunks;
  const TokenBatch& tokens = batch.tokens;
  for (size_t s = 0; s < tokens.sequences(); ++s) {
    if (chunks.empty() || chunks.back().counts[kTokens] + tokens.length(s) > kChunkRows) {
      chunks.push_back({tokens.starts[s], s, 0, {}});
    }
    chunks.back().counts[kTokens] += tokens.length(s);
    ++chunks.back().counts[kSequences];
  }
  for (size_t first = 0; first < batch.samples; first += kChunkRows) {
    chunks.push_back({0, 0, first, {}});
    chunks.back().counts[kSamples] = std::min(kChunkRows, batch.samples - first);
  }
  return chunks;
}

Context::Context(Device& device, const Plan& plan) : device_(device), plan_(plan), queue_(device.make_queue()) {}

void Context::run(const BatchRun& batch) {
  check_last_only(batch.options, plan_.late_outputs);
  for (const Chunk& chunk : cut_into_chunks(batch)) run_chunk(batch, chunk);
}

void Context::run_chunk(const BatchRun& batch, const Chunk& chunk) {
  reserve(batch, chunk);
  const size_t tokens = chunk.counts[kTokens];
  const size_t sequences = chunk.counts[kSequences];
  PlanRun run{*queue_, plan_, workspace_, place_batch_info(workspace_.info, tokens, sequences), chunk.counts};
  run.longest = upload(batch, chunk);
  run.multiprocessors = device_.facts().multiprocessors;
  run.cache = cache_of(batch);
  if (run.cache != nullptr) run.splits = splits_for(device_, plan_, *run.cache, sequences);
  graph_kernels_ = 0;
  if (run.cache != nullptr && tokens == sequences) {
    run_graph(run, batch.options);
  } else {
    run_steps(run, batch.options);
  }
  download(batch, chunk);
}

void Context::reserve(const BatchRun& batch, const Chunk& chunk) {
  MemoryRows capacity = workspace_.capacity;
  for (size_t kind = 0; kind < kRowKinds; ++kind) capacity[kind] = std::max(capacity[kind], chunk.counts[kind]);
  capacity[kLateTokens] = std::max(capacity[kLateTokens], output_rows(batch, chunk, RowKind::tokens).count);
  if (capacity != workspace_.capacity) {
    graphs_.clear();  // they hold addresses of the old memory
    workspace_ = {};  // which goes first, so that both need not fit
    workspace_ = make_workspace(device_, plan_, capacity);
  }
  size_t bytes = uploaded_bytes(plan_, chunk) + sizeof(int32_t) * chunk.counts[kSequences];
  for (const uint32_t value : plan_.outputs) {
    if (!batch.options.top_tokens.empty()) break;  // the outputs stay on the device
    const ValuePlace& place = plan_.values[value];
    bytes += sizeof(float) * place.width * output_rows(batch, chunk, place.rows).count;
  }
  if (bytes > staging_.bytes()) staging_ = PinnedMemory(device_, bytes, "copies of a batch");
}

size_t Context::upload(const BatchRun& batch, const Chunk& chunk) {
  const size_t tokens = chunk.counts[kTokens];
  const size_t sequences = chunk.counts[kSequences];
  size_t longest = 0;
  std::byte* staging = staging_.data();
  if (sequences > 0) {
    const BatchInfo info = place_batch_info(reinterpret_cast<int32_t*>(staging), tokens, sequences);
    fill_tokens(batch, chunk, info);
    longest = fill_sequences(batch, chunk, info);
    const size_t bytes = sizeof(int32_t) * batch_info_numbers(tokens, sequences);
    queue_->upload(workspace_.info, staging, bytes);
    staging += bytes;
  }
  for (size_t i = 0; i < plan_.inputs.size(); ++i) {
    const ValuePlace& place = plan_.values[plan_.inputs[i]];
    const CallerRows rows = input_rows(chunk, place.rows);
    const size_t bytes = sizeof(float) * rows.count * place.width;
    std::memcpy(staging, batch.inputs[i] + rows.first * place.width, bytes);
    queue_->upload(workspace_.at(place), staging, bytes);
    staging += bytes;
  }
  return longest;
}

void Context::run_steps(PlanRun run, const RunOptions& options) {
  const bool leaves_out = options.last_only && run.counts[kTokens] != run.counts[kSequences];
  for (size_t i = 0; i < plan_.steps.size();) {
    if (leaves_out && i == plan_.rowwise_from) {
      select_last_tokens(run);
      run.counts[kTokens] = run.counts[kSequences];
    }
    i += run_steps_at(i, run);
  }
  if (!options.top_tokens.empty()) find_top_tokens(run);
}

void Context::run_graph(const PlanRun& run, const RunOptions& options) {
  std::unique_ptr<Graph>& graph =
      graphs_[{run.counts[kSequences], run.cache->id(), options.last_only, !options.top_tokens.empty()}];
  if (graph == nullptr) {
    queue_->begin_capture();
    run_steps(run, options);
    graph = queue_->end_capture();
  }
  queue_->run(*graph);
  graph_kernels_ = graph->kernels();
}

void Context::download(const BatchRun& batch, const Chunk& chunk) {
  // The staging memory still holds what is being uploaded, which the device has read when the outputs are there; so
  // they come to the place after it.
  std::byte* staging = staging_.data() + uploaded_bytes(plan_, chunk);
  if (!batch.options.top_tokens.empty()) {
    const size_t sequences = chunk.counts[kSequences];
    queue_->download(staging, workspace_.top_tokens, sizeof(int32_t) * sequences);
    queue_->wait();
    std::memcpy(&batch.options.top_tokens[chunk.first_sequence], staging, sizeof(int32_t) * sequences);
    return;
  }
  const std::byte* const first = staging;
  for (const uint32_t value : plan_.outputs) {
    const ValuePlace& place = plan_.values[value];
    const size_t bytes = sizeof(float) * place.width * output_rows(batch, chunk, place.rows).count;
    queue_->download(staging, workspace_.at(place), bytes);
    staging += bytes;
  }
  queue_->wait();
  const std::byte* from = first;
  for (size_t i = 0; i < plan_.outputs.size(); ++i) {
    const ValuePlace& place = plan_.values[plan_.outputs[i]];
    const CallerRows rows = output_rows(batch, chunk, place.rows);
    const size_t bytes = sizeof(float) * place.width * rows.count;
    std::memcpy(batch.outputs[i] + rows.first * place.width, from, bytes);
    from += bytes;
  }
}

}  // namespace lathe::cuda
