#pragma once
// Removing whole heads and neurons: where a program has them, which of them the others can replace, and the linear
// layer behind them that makes up for the loss.

#include <string>
#include <vector>

#include "compress/methods/matrix.h"
#include "compress/source/source_model.h"

namespace lathe {

/// Parallel parts between linear ops: the heads of an attention op, or the neurons of an activation. Their weights are
/// used by no other op, and nothing else reads what lies between. What works on whole sequences, as the head of a
/// classifier does, does not count. Ops are given by their index.
struct ParallelParts {
  std::vector<size_t> before;  // linear ops that lose rows: q, k and v, or the first of a pair
  size_t between = 0;          // the attention or the activation
  size_t behind = 0;           // the linear op that loses columns
  uint32_t count = 0;          // heads or neurons
  uint32_t width = 0;          // columns of one of them
};
/// In program order.
std::vector<ParallelParts> find_heads(const Program& program);
std::vector<ParallelParts> find_neurons(const Program& program);

/// What is left of the layer behind.
struct Reduction {
  std::vector<uint32_t> kept;          // parts, ascending
  Matrix weight;                       // as wide as before, with zeros where parts are gone
  std::vector<float> bias;             // takes up the mean error; empty when there was none
  double loss = 0;                     // as LayerOutcome::loss
  std::vector<std::string> fallbacks;  // every deviation, in words
};

/// Keeps `keep` of the parts of `width` columns each. One part after the other goes, always the one whose loss the
/// rest makes up for best (Hassibi and Stork, 1993, for groups of columns); the rest is then solved anew by least
/// squares. Statistics are those of the layer's inputs; with an original_sum the bias takes up the mean error of the
/// layers before as well. Throws Error{malformed} naming `name` when the statistics are not finite.
Reduction reduce_inputs(const std::string& name, const Matrix& weight, const std::vector<float>& bias,
                        const InputStatistics& statistics, uint32_t width, uint32_t keep);

/// Takes the parts that are not kept out of program and weights (`derived`).
void apply_reduction(SourceModel& model, const ParallelParts& parts, const Reduction& reduction);

}  // namespace lathe
