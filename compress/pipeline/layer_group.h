#pragma once
// Layers that are compressed together: those that read the same value, or one table.

#include <optional>
#include <vector>

#include "compress/pipeline/finished_layer.h"
#include "compress/pipeline/linear_job.h"
#include "runtime/threads.h"

namespace lathe {

/// Linear ops that read the same value, by their index in the program, in its order. Heads are not among them: they
/// are compressed with the tables.
std::vector<std::vector<size_t>> linear_groups(const Program& program);

/// What the compression of every group depends on beside its statistics. References must outlive the object.
struct GroupSettings {
  const SourceModel& source;
  const Recipe& recipe;
  const CompressionPlan& plan;
  GlobalMasks masks;
};
/// Chooses the masks over all layers, where the recipe asks for that.
GroupSettings make_group_settings(const SourceModel& source, const Recipe& recipe, const CompressionPlan& plan);

/// Compresses the layers at `ops`, in parallel. `statistics` of their common input may be null.
FinishedGroup compress_group(const GroupSettings& settings, const std::vector<size_t>& ops,
                             const InputStatistics* statistics, ThreadPool& pool);
/// Compresses an embedding or a head as a group of its own.
FinishedGroup compress_table_group(const SourceModel& source, const WeightPlan& plan);

}  // namespace lathe
