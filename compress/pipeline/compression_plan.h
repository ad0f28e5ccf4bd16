#pragma once
// What will be done to each weight, decided before any work: --dry-run prints it and stops.

#include <string>
#include <vector>

#include "compress/pipeline/recipe.h"
#include "compress/source/source_model.h"

namespace lathe {

struct WeightPlan {
  std::string name;
  Shape shape;
  WeightRole role = WeightRole::other;
  Encoding encoding;
  double sparsity = 0;
  uint32_t rank = 0;   // 0: not factored
  uint64_t bytes = 0;  // predicted size of its planes (of both factors)
  std::string remark;  // why it is treated differently from what was asked, or empty
};

struct CompressionPlan {
  std::vector<WeightPlan> weights;    // in the order of the program
  std::vector<std::string> training;  // student, recovery and distillation: what will be done, a sentence each
  uint64_t bytes() const;
  const WeightPlan& find(const std::string& name) const;
};

/// Pure: depends on shapes and recipe alone. Throws Error{bad_recipe} when a layer rule matches no weight.
CompressionPlan make_compression_plan(const SourceModel& model, const Recipe& recipe);
/// A table for people.
std::string plan_text(const CompressionPlan& plan);
Json plan_json(const CompressionPlan& plan);

/// Bytes of a weight with exactly that share of zeros.
uint64_t predicted_bytes(const Encoding& encoding, uint64_t rows, uint64_t cols, double sparsity);
/// The encoding itself, or with a bitmask where that is smaller at this share of zeros.
Encoding with_cheaper_sparsity(const Encoding& encoding, uint64_t cols, double sparsity);

}  // namespace lathe
