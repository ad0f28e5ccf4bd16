#pragma once
// Sums of second moments of activations on the device that computes them: what calibration needs beside a forward pass.

#include <functional>
#include <memory>
#include <vector>

#include "runtime/executor.h"

namespace lathe {

/// A sum of y^T x over rows. Not for use by several threads at once.
class MomentSum {
 public:
  virtual ~MomentSum() = default;
  /// Adds y^T x for y and x [rows, width], row-major, in memory of the host. Where y is x the result is symmetric to
  /// the bit. Products are summed in float over at most a few thousand rows and in double over more.
  virtual void add(const float* y, const float* x, size_t rows) = 0;
  /// Another sum, which begins with what this one holds.
  virtual std::unique_ptr<MomentSum> copy() const = 0;
  /// The sum [width, width], row-major. Nothing is added after it.
  virtual std::vector<double> take() = 0;
};

/// Makes a sum of zeros for rows of that width. Throws Error{limit} when the device has no room.
using MakeMomentSum = std::function<std::unique_ptr<MomentSum>(size_t width)>;

/// Makes sums on that device; empty where the device has none of its own, as the CPU, whose sums are part of
/// compress/calibration/.
MakeMomentSum moment_sum_maker(Device device);

}  // namespace lathe
