#pragma once
// The inputs of every linear layer, in the original model and in the model as it is compressed so far.

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "compress/calibration/sample_parts.h"
#include "compress/methods/matrix.h"
#include "runtime/moment_sum.h"
#include "runtime/session.h"
#include "runtime/threads.h"

namespace lathe {

/// Runs the samples through a program step by step. The values that later steps still need are kept as long as they fit
/// the budget; otherwise the program runs again from the last step where they did. Both models, the original and the
/// compressed one, use the runtime's own forward pass. Not for use by several threads.
class Calibration {
 public:
  /// The samples must outlive the object. The lookups give the original and the compressed weights by name; they are
  /// called again for each step, so that the compressed weights may change between two steps. Both models run on
  /// executors that `make` makes; the second moments of inputs are summed by what `make_sum` makes, on the CPU where it
  /// is empty.
  Calibration(const SampleParts& samples, WeightLookup original, WeightLookup compressed, size_t threads,
              const MakeExecutor& make = executor_maker(Device::cpu), MakeMomentSum make_sum = {});
  ~Calibration();

  /// Statistics of the first input of the op at index `op` of `original`. `compressed` is the same program after
  /// rewrites, which keep the ids of values. Ops must be asked for in the order of the program.
  InputStatistics collect(const Program& original, const Program& compressed, size_t op);
  /// Advances to `op` without collecting statistics, so that the next collect() has fewer ops to run at once.
  void skip(const Program& original, const Program& compressed, size_t op);

 private:
  struct Track;
  using Look = std::function<void(const float* x, const float* y, size_t rows)>;
  /// Calls `look` with the op's input, `x` in the compressed model and `y` in the original, for one batch of samples
  /// after another. With `keep`, the values that later steps need are kept.
  void run_to(const Program& original, const Program& compressed, size_t op, bool keep, const Look& look);
  bool fits(const Program& original, size_t op) const;

  const SampleParts samples_;
  ThreadPool pool_;
  MakeMomentSum make_sum_;
  std::unique_ptr<Track> original_;
  std::unique_ptr<Track> compressed_;
};

}  // namespace lathe
