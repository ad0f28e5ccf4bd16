#pragma once
// Removes whole heads and neurons: finds where a program has them, chooses those that the others can replace best, and
// solves the linear layer after them anew so that it makes up for the loss.

#include <string>
#include <vector>

#include "compress/methods/matrix.h"
#include "compress/source/source_model.h"

namespace lathe {

/// Units that work side by side between linear ops: the heads of an attention op, or the neurons of an activation. No
/// other op uses the weights of these linear ops or reads what lies between them. Ops on whole sequences, such as those
/// in the head of a classifier, are left out. Ops are given by their index in the program.
struct ParallelUnits {
  std::vector<size_t> before;  // linear ops that lose rows: q, k and v, or the first of a pair
  size_t between = 0;          // the attention or the activation
  size_t after = 0;            // the linear op that loses columns
  uint32_t count = 0;          // heads or neurons
  uint32_t width = 0;          // columns of one of them
};
/// In program order.
std::vector<ParallelUnits> find_heads(const Program& program);
std::vector<ParallelUnits> find_neurons(const Program& program);

/// A linear layer whose inputs lost some of their units.
struct Reduction {
  std::vector<uint32_t> kept;          // units, ascending
  Matrix weight;                       // as wide as before, with zeros where units are gone
  std::vector<float> bias;             // takes up the mean error; empty when there was none
  double loss = 0;                     // as LayerOutcome::loss
  std::vector<std::string> fallbacks;  // every deviation, a sentence each
};

/// Keeps `keep` units of `width` columns each. Units go one after the other, always the one whose loss the rest can
/// make up for best (Hassibi and Stork, 1993, for groups of columns); then the rest is solved anew by least squares.
/// `statistics` are those of the layer's inputs. With an original_sum the bias also takes up the mean error of the
/// layers before. Throws Error{malformed} naming `name` when the statistics are not finite.
Reduction reduce_inputs(const std::string& name, const Matrix& weight, const std::vector<float>& bias,
                        const InputStatistics& statistics, uint32_t width, uint32_t keep);

/// Takes the units that are not kept out of the model's program and weights; the new weights are in `derived`.
void apply_reduction(SourceModel& model, const ParallelUnits& units, const Reduction& reduction);

}  // namespace lathe
