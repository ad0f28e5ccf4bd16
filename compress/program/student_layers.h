#pragma once
// Programs with fewer layers, and which layers to do without.

#include <vector>

#include "compress/job/progress.h"
#include "compress/program/blocks.h"
#include "runtime/session.h"

namespace lathe {

/// The program without some of its layers: what read the output of one reads its input instead. Values and weights
/// are renumbered, those that nothing needs are gone, names stay. `tracked` are values of `program`, and become the
/// same values of the result; for the output of a layer that is gone, what stands in its place.
Program without_layers(const Program& program, const std::vector<Block>& layers, const std::vector<bool>& keep,
                       std::vector<uint32_t>& tracked);

/// `kept` of `layers`, evenly spread from the first to the last, which matter most: 0, 3 and 5 of 6, the last alone of
/// one; 1 <= kept <= layers.
std::vector<bool> spread_layers(size_t layers, size_t kept);

/// Drops one layer after the other, always the one whose loss changes the outputs least on the samples: the sum of
/// squared changes over the sum of squares. Throws Error{interrupted}.
std::vector<bool> most_important_layers(const Program& program, const std::vector<Block>& layers, size_t kept,
                                        const WeightLookup& weights, const TokenBatch& samples, Progress& progress,
                                        size_t threads);

}  // namespace lathe
