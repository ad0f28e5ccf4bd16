#pragma once
// Sums the second moments of activations.

#include "runtime/moment_sum.h"
#include "runtime/threads.h"

namespace lathe {

/// Makes sums on the CPU: products are in float over the rows of one call, so pass a few thousand at a time. The result
/// does not depend on the number of threads of `pool`, which outlives the sums.
MakeMomentSum cpu_moment_sums(ThreadPool& pool);

}  // namespace lathe
