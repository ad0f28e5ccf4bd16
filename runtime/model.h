#pragma once
// A model that is ready to run: immutable, shared by any number of sessions and threads.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "formats/artifact/artifact.h"
#include "runtime/executor.h"

namespace lathe {

/// A program, its weights on a device, and the bounds that the weights set.
class Model {
 public:
  /// Opens an artifact, keeps it mapped, and packs its weights for the device. Throws Error{no_input, malformed,
  /// unsupported}, and Error{usage} when LATHE_ISA names a set of instructions that this CPU lacks.
  static Model open(const std::filesystem::path& path, Device device = Device::cpu);
  /// Opens an artifact for an executor that the caller makes.
  static Model open(const std::filesystem::path& path, const MakeExecutor& make);
  /// A model from weights that are in memory already. `where` stands in error messages.
  static Model build(Program program, const WeightLookup& weights, const std::string& where,
                     Device device = Device::cpu);
  static Model build(Program program, const WeightLookup& weights, const std::string& where, const MakeExecutor& make);

  const Program& program() const { return program_; }
  const Executor& executor() const { return *executor_; }
  /// How the executor holds and runs the model.
  const ExecutorDescription& description() const { return executor_->description(); }
  /// How many tokens one sequence may have: the rows of the position table, or SIZE_MAX where there is none.
  size_t max_tokens() const { return max_tokens_; }
  /// The rows of the token table, or SIZE_MAX where the program reads no tokens.
  size_t vocabulary_size() const { return vocabulary_size_; }
  /// The rows of the segment table, or SIZE_MAX where there is none.
  size_t segment_kinds() const { return segment_kinds_; }
  /// True when the program has attention and all of it is causal, so that a KvCache can be used.
  bool is_causal() const { return is_causal_; }
  /// True when the program's values have rows for samples, which the caller gives as dense tensors; false when it reads
  /// token sequences.
  bool reads_samples() const { return reads_samples_; }
  /// The file that the model was opened from; null for build().
  const Artifact* artifact() const { return artifact_.get(); }

 private:
  Model(Program program, const WeightLookup& weights, const std::string& where, const MakeExecutor& make);
  // The number of rows that the tables of a stream have.
  size_t& bound_of(Stream stream);

  std::unique_ptr<Artifact> artifact_;
  Program program_;
  std::unique_ptr<const Executor> executor_;
  size_t max_tokens_ = SIZE_MAX;
  size_t vocabulary_size_ = SIZE_MAX;
  size_t segment_kinds_ = SIZE_MAX;
  bool is_causal_ = false;
  bool reads_samples_ = false;
};

/// True when the program has attention and all of it is causal.
bool is_causal(const Program& program);

}  // namespace lathe
