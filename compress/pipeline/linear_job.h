#pragma once
// One weight of the model as a task for the layer methods, and what came of it.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compress/facts/weight_facts.h"
#include "compress/methods/layer.h"
#include "compress/pipeline/compression_plan.h"

namespace lathe {

/// true = keep, by weight name; empty unless the recipe prunes over all layers at once.
using GlobalMasks = std::map<std::string, std::vector<bool>>;
GlobalMasks choose_global_masks(const SourceModel& source, const CompressionPlan& plan);

/// Keeps what is not zero in the weights that are to be pruned: after training under a pruning schedule.
GlobalMasks masks_of_zeros(const SourceModel& source, const CompressionPlan& plan);

struct LinearJob {
  std::string name;
  Matrix weight;
  std::vector<float> bias;  // empty: none
  LayerGoal goal;
  uint32_t rank = 0;  // 0: not factored
};
/// Reads the weight (and bias) of a linear op in f32.
LinearJob make_linear_job(const SourceModel& source, const Recipe& recipe, const CompressionPlan& plan, const Op& op,
                          const GlobalMasks& masks);

struct LinearFactor {
  std::string name;
  EncodedBuffer encoded;
  WeightFacts facts;
};
struct LinearOutcome {
  std::vector<LinearFactor> factors;  // the weight, or up and down of a low-rank layer
  std::vector<float> bias;
  /// What rounding the layer's inputs to 8 bits adds to its output, as a share of the output's mean square; empty
  /// without statistics.
  std::optional<double> rounding_share;
};
/// `statistics` may be null.
LinearOutcome compress_linear(const LinearJob& job, const InputStatistics* statistics);

struct TableOutcome {
  EncodedBuffer encoded;
  WeightFacts facts;
};
/// Of an embedding or a head: row by row, without statistics.
TableOutcome compress_table(const SourceModel& source, const WeightPlan& plan);

/// Size and zeros of a weight whose values have changed.
void update_facts(const EncodedBuffer& encoded, WeightFacts& facts);

}  // namespace lathe
