#pragma once
// A model of which one device runs the first layers and another one the rest: for devices whose memory is too small.

#include <memory>

#include "runtime/executor.h"

namespace lathe {

/// How many attentions a program has, which is how many layers can be told apart.
size_t layer_count(const Program& program);

/// The number of ops in the first `layers` layers: a layer ends where fewest values cross, before the next attention's
/// inputs are computed. All ops for `layers` >= layer_count(program); those before the first layer for 0.
size_t ops_of_layers(const Program& program, size_t layers);

/// An executor of the first `ops` ops by `first` and of the others by `second`. Values that both need cross once in
/// each run. Throws Error{unsupported} where an output of the program is computed in the first part, and what the two
/// throw.
std::unique_ptr<Executor> make_split_executor(const Program& program, const WeightLookup& weights, size_t ops,
                                              const MakeExecutor& first, const MakeExecutor& second);

/// Bytes of the weights that the first `ops` ops name, as they are encoded.
size_t weight_bytes(const Program& program, const WeightLookup& weights, size_t ops);

}  // namespace lathe
