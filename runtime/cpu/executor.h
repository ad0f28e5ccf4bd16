#pragma once
// The executor for CPUs.

#include <memory>
#include <string>

#include "runtime/executor.h"

namespace lathe::cpu {

/// Packs the weights for the best kernels that the CPU has, or those that LATHE_ISA names. `program` is valid. Throws
/// Error{unsupported} for a weight that no kernel runs, and Error{usage} when the CPU lacks what LATHE_ISA names.
std::unique_ptr<Executor> make_executor(const Program& program, const WeightLookup& weights);

/// The set of instructions that make_executor would choose now.
std::string instruction_set();

}  // namespace lathe::cpu
