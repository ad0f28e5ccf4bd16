#include "runtime/session.h"

#include <algorithm>

#include "formats/artifact/error.h"
#include "runtime/kv_cache.h"

namespace lathe {
namespace {

void check_tokens(const TokenBatch& batch, const Model& model) {
  for (size_t s = 0; s < batch.sequences(); ++s) {
    if (batch.length(s) == 0 || batch.length(s) > model.max_tokens()) {
      fail(Errc::usage, message("sequence ", s, " has ", batch.length(s), " tokens; the number must be in [1, ",
                                model.max_tokens(), "]"));
    }
  }
  for (const int32_t id : batch.ids) {
    if (id < 0 || static_cast<size_t>(id) >= model.vocabulary_size()) {
      fail(Errc::usage, message("token id ", id, " is outside the vocabulary of ", model.vocabulary_size()));
    }
  }
}

void check_segments(const TokenBatch& batch, const Model& model) {
  if (!batch.segments.empty() && batch.segments.size() != batch.ids.size()) {
    fail(Errc::usage, message("there are ", batch.segments.size(), " segment ids for ", batch.ids.size(), " tokens"));
  }
  for (const int32_t id : batch.segments) {
    if (id < 0 || static_cast<size_t>(id) >= model.segment_kinds()) {
      fail(Errc::usage, message("segment id ", id, " is outside the table of ", model.segment_kinds()));
    }
  }
}

void check_cache(const TokenBatch& batch, const RunOptions& options, const Model& model) {
  const KvCache& cache = *options.cache;
  if (&cache.executor() != &model.executor()) fail(Errc::usage, "the cache was made for another model");
  if (!options.slots.empty() && options.slots.size() != batch.sequences()) {
    fail(Errc::usage,
         message("there are ", options.slots.size(), " cache slots for ", batch.sequences(), " sequences"));
  }
  std::vector<bool> used(cache.sequences(), false);
  const size_t most = std::min(cache.capacity(), model.max_tokens());
  for (size_t s = 0; s < batch.sequences(); ++s) {
    const size_t slot = options.slot(s);
    if (slot >= used.size() || used[slot]) {
      fail(Errc::usage, message("sequence ", s, ": cache slot ", slot, " is used twice or out of range (the cache has ",
                                used.size(), " slots)"));
    }
    used[slot] = true;
    const size_t length = cache.length(slot) + batch.length(s);
    if (length > most) {
      fail(Errc::usage,
           message("sequence ", s, " would have ", length, " tokens with those in the cache; at most ", most, " fit"));
    }
  }
}

void check_top_tokens(const TokenBatch& batch, const RunOptions& options, const Program& program) {
  if (program.outputs.size() != 1 || program.values[program.outputs[0]].rows != RowKind::tokens || !options.last_only) {
    fail(Errc::usage, "top tokens are those of the last tokens' rows of a single output, which this run does not have");
  }
  if (options.top_tokens.size() != batch.sequences()) {
    fail(Errc::usage,
         message("there is room for ", options.top_tokens.size(), " top tokens of ", batch.sequences(), " sequences"));
  }
}

}  // namespace

Session::Session(const Model& model, size_t threads)
    : model_(model), context_(model.executor().make_context(threads)) {}

void Session::run(const TokenBatch& batch, std::span<const float* const> inputs, std::span<float* const> outputs,
                  const RunOptions& options) {
  check_program(false, inputs.size(), outputs.size());
  check_tokens(batch, model_);
  check_segments(batch, model_);
  if (options.cache != nullptr) check_cache(batch, options, model_);
  if (!options.top_tokens.empty()) check_top_tokens(batch, options, model_.program());
  if (options.top_tokens.empty() || context_->finds_top_tokens()) {
    context_->run({batch, 0, inputs, outputs, options});
  } else {
    find_top_tokens(batch, inputs, options);
  }
  if (options.cache == nullptr) return;
  for (size_t s = 0; s < batch.sequences(); ++s) options.cache->advance(options.slot(s), batch.length(s));
}

void Session::run(const DenseBatch& batch, std::span<const float* const> inputs, std::span<float* const> outputs) {
  check_program(true, inputs.size(), outputs.size());
  const TokenBatch no_tokens;
  const RunOptions no_options;
  context_->run({no_tokens, batch.samples, inputs, outputs, no_options});
}

void Session::check_program(bool dense, size_t inputs, size_t outputs) const {
  if (dense != model_.reads_samples()) {
    const char* const kinds[] = {"token sequences", "samples of dense tensors"};
    fail(Errc::usage,
         message("the program reads ", kinds[dense ? 0 : 1], ", but the batch holds ", kinds[dense ? 1 : 0]));
  }
  const Program& program = model_.program();
  if (inputs != program.inputs.size() || outputs != program.outputs.size()) {
    fail(Errc::usage, message("the program has ", program.inputs.size(), " inputs and ", program.outputs.size(),
                              " outputs, but memory is given for ", inputs, " and ", outputs));
  }
}

void Session::find_top_tokens(const TokenBatch& batch, std::span<const float* const> inputs,
                              const RunOptions& options) {
  const Program& program = model_.program();
  const size_t width = program.values[program.outputs[0]].shape.size();
  rows_.resize(batch.sequences() * width);
  float* const outputs[] = {rows_.data()};
  context_->run({batch, 0, inputs, outputs, options});
  for (size_t s = 0; s < batch.sequences(); ++s) {
    const auto first = rows_.begin() + static_cast<std::ptrdiff_t>(s * width);
    options.top_tokens[s] =
        static_cast<int32_t>(std::max_element(first, first + static_cast<std::ptrdiff_t>(width)) - first);
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

}  // namespace lathe
