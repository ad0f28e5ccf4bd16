#pragma once
// Removes layers from a program, and chooses which ones.

#include <vector>

#include "compress/job/progress.h"
#include "compress/program/blocks.h"
#include "runtime/session.h"

namespace lathe {

/// The program without the layers that `keep` leaves out: ops that read the output of such a layer read its input
/// instead. Values and weights keep their names but are renumbered; those that nothing needs are removed. `tracked` are
/// ids of values of `program`, and become the ids of the same values in the result (for the output of a removed layer,
/// that of its input).
Program without_layers(const Program& program, const std::vector<Block>& layers, const std::vector<bool>& keep,
                       std::vector<uint32_t>& tracked);

/// Keeps `kept` layers, evenly spread from the first to the last, because these two matter most: layers 0, 3 and 5 for
/// three of six, and the last one for a single layer. 1 <= kept <= layers.
std::vector<bool> spread_layers(size_t layers, size_t kept);

/// Drops one layer after the other until `kept` are left, always the one without which the outputs change least on the
/// samples (by the sum of squared changes). Throws Error{interrupted} when the job was stopped.
std::vector<bool> most_important_layers(const Program& program, const std::vector<Block>& layers, size_t kept,
                                        const WeightLookup& weights, const TokenBatch& samples, Progress& progress,
                                        size_t threads);

}  // namespace lathe
