#pragma once
// What a decoder remembers of the tokens it has seen: the keys and values of every causal attention.

#include <memory>
#include <vector>

#include "runtime/model.h"

namespace lathe {

/// Keys and values of several sequences, in memory of the model's device. Used by one session at a time.
class KvCache {
 public:
  /// Room for `sequences` sequences of at most `capacity` tokens each. The executor of `model` outlives the cache.
  /// Throws Error{usage} unless the model's attention is causal, and Error{limit} when the size overflows.
  KvCache(const Model& model, size_t sequences, size_t capacity, CacheType type = CacheType::f16);

  /// A cache for an executor whose program has causal attention alone, or no attention.
  KvCache(const Executor& executor, size_t sequences, size_t capacity, CacheType type);

  size_t sequences() const { return lengths_.size(); }
  size_t capacity() const { return capacity_; }
  CacheType type() const { return type_; }
  /// How many tokens the sequence has so far.
  size_t length(size_t sequence) const { return lengths_[sequence]; }
  /// Forgets all tokens of the sequence from `length` on. Throws Error{internal} when it has fewer.
  void truncate(size_t sequence, size_t length);
  /// Adds tokens whose keys and values an executor has stored. For Session.
  void advance(size_t sequence, size_t tokens) { lengths_[sequence] += tokens; }
  size_t bytes() const { return memory_->bytes(); }

  /// The executor that made the memory, and the memory, whose layout that executor alone knows.
  const Executor& executor() const { return executor_; }
  CacheMemory& memory() const { return *memory_; }

 private:
  const Executor& executor_;
  CacheType type_;
  size_t capacity_;
  std::vector<size_t> lengths_;
  std::unique_ptr<CacheMemory> memory_;
};

}  // namespace lathe
