#pragma once
// A model that is ready to run: immutable, shared by any number of sessions and threads.

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "formats/artifact/artifact.h"
#include "runtime/cpu/isa.h"
#include "runtime/cpu/plan.h"

namespace lathe {

/// Finds the weight of that name; the planes outlive the model.
using WeightLookup = std::function<EncodedTensor(const std::string& name)>;

/// Which kernel runs a weight; for `inspect`.
struct KernelChoice {
  std::string weight;
  std::string encoding;
  std::string kernel;
};

class Model {
 public:
  /// Opens an artifact, keeps it mapped, and packs its weights. Throws Error{no_input, malformed, unsupported}, and
  /// Error{usage} when LATHE_ISA names a level this CPU lacks.
  static Model open(const std::filesystem::path& path);
  /// A model from weights that are in memory already. `where` stands in error messages.
  static Model build(Program program, const WeightLookup& weights, const std::string& where);

  const Program& program() const { return program_; }
  const Plan& plan() const { return plan_; }
  const kernels::RowKernels& row_kernels() const { return *kernels_.rows; }
  Isa isa() const { return kernels_.isa; }
  /// Tokens that one sequence may have: the rows of the position table, or no bound.
  size_t max_tokens() const { return max_tokens_; }
  /// Rows of the token table, or no bound where the program reads no tokens.
  size_t vocabulary_size() const { return vocabulary_size_; }
  size_t segment_kinds() const { return segment_kinds_; }
  const std::vector<KernelChoice>& kernel_choices() const { return choices_; }
  /// The file behind the model; null for build().
  const Artifact* artifact() const { return artifact_.get(); }
  /// Bytes of weights repacked in memory.
  size_t packed_bytes() const;

 private:
  Model(Program program, const WeightLookup& weights, const std::string& where);

  std::unique_ptr<Artifact> artifact_;
  Program program_;
  KernelSet kernels_;
  std::unique_ptr<WeightStore> store_;
  Plan plan_;
  std::vector<KernelChoice> choices_;
  size_t max_tokens_ = SIZE_MAX;
  size_t vocabulary_size_ = SIZE_MAX;
  size_t segment_kinds_ = SIZE_MAX;
};

}  // namespace lathe
