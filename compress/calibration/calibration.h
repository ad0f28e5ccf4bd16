#pragma once
// The inputs of every linear layer, in the original model and in the model as it is compressed so far.

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "compress/calibration/samples.h"
#include "compress/methods/matrix.h"
#include "runtime/session.h"
#include "runtime/threads.h"

namespace lathe {

/// Runs the samples through a program step by step and keeps the values that the rest of it still needs, as long as
/// they fit the budget; otherwise it runs again from the last place where they did. Both tracks use the runtime's own
/// forward pass. Not for use by several threads.
class Calibration {
 public:
  /// The original and the compressed weights by name; called again for each step, so the second may change in
  /// between. References must outlive the object.
  Calibration(const Samples& samples, WeightLookup original, WeightLookup compressed, size_t threads);
  ~Calibration();

  /// Statistics of the value that the op at `op` of `original` reads first. `compressed` is the same program with
  /// rewrites behind it: values keep their ids. Ops must be asked for in program order.
  InputStatistics collect(const Program& original, const Program& compressed, size_t op);
  /// Goes as far without looking: where groups are left out, the next collect() has then less to run at once.
  void skip(const Program& original, const Program& compressed, size_t op);

 private:
  struct Track;
  using Look = std::function<void(const float* x, const float* y, size_t rows)>;
  /// Shows what the op reads, `x` in the compressed model and `y` in the original, for one part of the samples after
  /// the other.
  void run_to(const Program& original, const Program& compressed, size_t op, bool keep, const Look& look);
  bool fits(const Program& original, size_t op) const;

  const Samples& samples_;
  ThreadPool pool_;
  std::unique_ptr<Track> original_;
  std::unique_ptr<Track> compressed_;
};

}  // namespace lathe
