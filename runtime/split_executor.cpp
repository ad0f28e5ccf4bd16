#include "runtime/split_executor.h"

#include <algorithm>
#include <array>
#include <set>

#include "formats/artifact/error.h"
#include "runtime/kv_cache.h"

namespace lathe {
namespace {

// The values that are there before op `ops` and needed from there on.
std::vector<uint32_t> crossing_values(const Program& program, size_t ops) {
  std::set<uint32_t> before(program.inputs.begin(), program.inputs.end());
  for (size_t i = 0; i < ops; ++i) before.insert(program.ops[i].output);
  std::set<uint32_t> crossing;
  for (size_t i = ops; i < program.ops.size(); ++i) {
    for (const uint32_t input : program.ops[i].inputs) {
      if (before.contains(input)) crossing.insert(input);
    }
  }
  return {crossing.begin(), crossing.end()};
}

// One of the two parts, with what it reads and writes.
struct Part {
  ProgramSlice slice;
  std::unique_ptr<Executor> executor;
};

Part make_part(const Program& program, const WeightLookup& weights, const std::vector<uint32_t>& given,
               const std::vector<uint32_t>& wanted, const MakeExecutor& make) {
  Part part{slice(program, given, wanted), nullptr};
  part.executor = make(part.slice.program, weights);
  return part;
}

// The caches of both parts, which have the lengths of the one that the caller sees.
class SplitCache : public CacheMemory {
 public:
  SplitCache(const Part& first, const Part& second, size_t sequences, size_t capacity, CacheType type)
      : caches_{KvCache(*first.executor, sequences, capacity, type),
                KvCache(*second.executor, sequences, capacity, type)} {}

  size_t bytes() const override { return caches_[0].bytes() + caches_[1].bytes(); }
  // The cache of a part, with the lengths of `whole`.
  KvCache& part(size_t index, const KvCache& whole) {
    KvCache& cache = caches_[index];
    for (size_t s = 0; s < whole.sequences(); ++s) {
      cache.truncate(s, 0);
      cache.advance(s, whole.length(s));
    }
    return cache;
  }

 private:
  std::array<KvCache, 2> caches_;
};

// What both parts share: the values that cross, and the program's inputs and outputs.
struct Split {
  Program program;
  std::vector<uint32_t> crossing;
  Part first;
  Part second;
};

class SplitContext : public ExecutionContext {
 public:
  SplitContext(const Split& split, size_t threads)
      : split_(split),
        first_(split.first.executor->make_context(threads)),
        second_(split.second.executor->make_context(threads)) {}

  void run(const BatchRun& batch) override {
    std::vector<float*> crossing;
    buffers_.resize(split_.crossing.size());
    for (size_t i = 0; i < buffers_.size(); ++i) {
      const Value& value = split_.program.values[split_.crossing[i]];
      buffers_[i].resize(rows_of(batch, value.rows) * value.shape.size());
      crossing.push_back(buffers_[i].data());
    }
    RunOptions options = batch.options;
    options.last_only = false;
    options.top_tokens = {};
    run_part(*first_, batch, 0, inputs_of(split_.first, batch, crossing), crossing, options);
    run_part(*second_, batch, 1, inputs_of(split_.second, batch, crossing), batch.outputs, batch.options);
  }
  size_t threads() const override { return std::max(first_->threads(), second_->threads()); }
  bool finds_top_tokens() const override { return second_->finds_top_tokens(); }

 private:
  static size_t rows_of(const BatchRun& batch, RowKind rows) {
    switch (rows) {  // a kind that is missing here does not compile
      case RowKind::tokens:
        return batch.tokens.tokens();
      case RowKind::sequences:
        return batch.tokens.sequences();
      case RowKind::samples:
        return batch.samples;
    }
    return 0;  // not reached: every kind returns
  }

  // Where the values stand that a part reads, in the order in which it reads them.
  std::vector<const float*> inputs_of(const Part& part, const BatchRun& batch,
                                      const std::vector<float*>& crossing) const {
    std::vector<const float*> inputs;
    for (const uint32_t value : part.slice.inputs) {
      const auto& given = split_.program.inputs;
      const auto input = std::find(given.begin(), given.end(), value);
      if (input != given.end()) {
        inputs.push_back(batch.inputs[static_cast<size_t>(input - given.begin())]);
      } else {
        const auto at = std::find(split_.crossing.begin(), split_.crossing.end(), value) - split_.crossing.begin();
        inputs.push_back(crossing[static_cast<size_t>(at)]);
      }
    }
    return inputs;
  }

  static void run_part(ExecutionContext& context, const BatchRun& batch, size_t index,
                       const std::vector<const float*>& inputs, std::span<float* const> outputs, RunOptions options) {
    if (options.cache != nullptr) {
      // The session has checked that this executor made the cache.
      options.cache = &static_cast<SplitCache&>(options.cache->memory()).part(index, *options.cache);
    }
    context.run({batch.tokens, batch.samples, inputs, outputs, options});
  }

  const Split& split_;
  std::unique_ptr<ExecutionContext> first_;
  std::unique_ptr<ExecutionContext> second_;
  std::vector<std::vector<float>> buffers_;
};

class SplitExecutor : public Executor {
 public:
  explicit SplitExecutor(Split split) : split_(std::move(split)) {
    const ExecutorDescription& first = split_.first.executor->description();
    const ExecutorDescription& second = split_.second.executor->description();
    description_ = first;
    description_.instruction_set = first.instruction_set + " + " + second.instruction_set;
    description_.kernels.insert(description_.kernels.end(), second.kernels.begin(), second.kernels.end());
    description_.packed_bytes += second.packed_bytes;
    description_.hardware = message(first.hardware, " (", split_.first.slice.program.ops.size(), " of ",
                                    split_.program.ops.size(), " ops), ", second.device_text());
  }

  std::unique_ptr<ExecutionContext> make_context(size_t threads) const override {
    return std::make_unique<SplitContext>(split_, threads);
  }
  std::unique_ptr<CacheMemory> make_cache(size_t sequences, size_t capacity, CacheType type) const override {
    return std::make_unique<SplitCache>(split_.first, split_.second, sequences, capacity, type);
  }
  const ExecutorDescription& description() const override { return description_; }

 private:
  Split split_;
  ExecutorDescription description_;
};

}  // namespace

size_t layer_count(const Program& program) {
  return static_cast<size_t>(
      std::count_if(program.ops.begin(), program.ops.end(), [](const Op& op) { return op.is<ops::Attention>(); }));
}

size_t ops_of_layers(const Program& program, size_t layers) {
  if (layers == 0) return 0;
  // Behind the last attention of those layers, and the attention after them.
  size_t seen = 0, begin = 0, end = program.ops.size();
  for (size_t i = 0; i < program.ops.size(); ++i) {
    if (!program.ops[i].is<ops::Attention>()) continue;
    if (seen == layers) {
      end = i;
      break;
    }
    begin = i + 1;
    ++seen;
  }
  if (end == program.ops.size()) return end;
  size_t best = end, fewest = SIZE_MAX;
  for (size_t ops = begin; ops <= end; ++ops) {
    const size_t crossing = crossing_values(program, ops).size();
    if (crossing > fewest) continue;
    best = ops;
    fewest = crossing;
  }
  return best;
}

std::unique_ptr<Executor> make_split_executor(const Program& program, const WeightLookup& weights, size_t ops,
                                              const MakeExecutor& first, const MakeExecutor& second) {
  if (ops >= program.ops.size()) return first(program, weights);
  if (ops == 0) return second(program, weights);
  for (size_t i = 0; i < ops; ++i) {
    const auto& outputs = program.outputs;
    if (std::find(outputs.begin(), outputs.end(), program.ops[i].output) == outputs.end()) continue;
    fail(Errc::unsupported,
         message("op ", i, " computes an output of the program; the model can only be split before it"));
  }
  Split split{program, crossing_values(program, ops), {}, {}};
  std::vector<uint32_t> given = program.inputs;
  given.insert(given.end(), split.crossing.begin(), split.crossing.end());
  std::sort(given.begin(), given.end());
  given.erase(std::unique(given.begin(), given.end()), given.end());
  std::erase_if(split.crossing, [&](uint32_t value) {
    return std::find(program.inputs.begin(), program.inputs.end(), value) != program.inputs.end();
  });
  split.first = make_part(program, weights, program.inputs, split.crossing, first);
  split.second = make_part(program, weights, given, program.outputs, second);
  return std::make_unique<SplitExecutor>(std::move(split));
}

size_t weight_bytes(const Program& program, const WeightLookup& weights, size_t ops) {
  std::set<uint32_t> names;
  for (size_t i = 0; i < std::min(ops, program.ops.size()); ++i) {
    for (const uint32_t weight : program.ops[i].weights) {
      if (weight != kNone) names.insert(weight);
    }
  }
  size_t bytes = 0;
  for (const uint32_t weight : names) bytes += weights(program.weights[weight]).bytes();
  return bytes;
}

}  // namespace lathe
