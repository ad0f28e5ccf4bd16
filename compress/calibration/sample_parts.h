#pragma once
// The samples of a calibration, token sequences or dense tensors, cut into parts that are run at a time.

#include <vector>

#include "compress/calibration/dense_samples.h"
#include "runtime/session.h"

namespace lathe {

/// Token sequences, or samples of dense tensors; the other one is empty.
struct SamplePart {
  TokenBatch tokens;
  DenseSamples samples;

  /// How many rows a value of that kind has.
  size_t rows(RowKind kind) const;
  void run(Session& session, std::span<const float* const> inputs, std::span<float* const> outputs) const;
};

/// Parts of samples that must outlive the object: a few thousand tokens or samples each, in order.
class SampleParts {
 public:
  SampleParts(const TokenBatch& tokens);
  SampleParts(const DenseSamples& samples);

  size_t count() const { return ranges_.size(); }
  SamplePart part(size_t index) const;
  /// How many rows a value of that kind has for all samples.
  size_t rows(RowKind kind) const;

 private:
  struct Range {
    size_t first;
    size_t count;
  };

  const TokenBatch* tokens_ = nullptr;  // one of the two
  const DenseSamples* samples_ = nullptr;
  std::vector<Range> ranges_;  // of sequences or samples
};

}  // namespace lathe
