#pragma once
// Calibration of one group of layers after another, where some groups come from an earlier run.

#include <functional>
#include <vector>

#include "compress/calibration/calibration.h"
#include "compress/calibration/samples.h"
#include "compress/pipeline/tensor_store.h"
#include "compress/source/source_model.h"

namespace lathe {

/// Statistics for the groups that are compressed now. Groups restored from disk are replayed one at a time, and only
/// when a later group needs statistics, so that memory stays bounded. References must outlive the object.
class GroupCalibration {
 public:
  /// A weight that is in `compressed` is taken from there for the compressed model, any other from `source`.
  GroupCalibration(const Samples& samples, const SourceModel& source, const TensorStore& compressed, size_t threads,
                   Device device);

  /// Notes a restored group, whose layers read the first input of the op at index `op`.
  void skip(size_t op) { restored_.push_back(op); }
  /// The statistics of a group that is to be compressed. `compressed` is the program as it is compressed so far;
  /// `between` is called after each group that is replayed.
  InputStatistics collect(const Program& compressed, size_t op, const std::function<void()>& between);

 private:
  const SourceModel& source_;
  Calibration calibration_;
  std::vector<size_t> restored_;  // that are not replayed yet
};

/// Tells the system that the pages of the source and of finished tensors are not needed for now.
void release_pages(const SourceModel& source, const TensorStore& finished);

}  // namespace lathe
