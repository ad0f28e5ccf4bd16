#include "runtime/kv_cache.h"

#include "formats/artifact/error.h"

namespace lathe {

namespace {

const Executor& causal_executor(const Model& model) {
  if (!model.is_causal()) fail(Errc::usage, "a cache needs a program whose attention is causal");
  return model.executor();
}

}  // namespace

KvCache::KvCache(const Model& model, size_t sequences, size_t capacity, CacheType type)
    : KvCache(causal_executor(model), sequences, capacity, type) {}

KvCache::KvCache(const Executor& executor, size_t sequences, size_t capacity, CacheType type)
    : executor_(executor),
      type_(type),
      capacity_(capacity),
      lengths_(sequences, 0),
      memory_(executor.make_cache(sequences, capacity, type)) {}

void KvCache::truncate(size_t sequence, size_t length) {
  if (length > lengths_[sequence]) {
    fail(Errc::internal,
         message("cache: sequence ", sequence, " has ", lengths_[sequence], " tokens and cannot be cut to ", length));
  }
  lengths_[sequence] = length;
}

}  // namespace lathe
