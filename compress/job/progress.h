#pragma once
// How long work tells its caller where it is, and asks whether to go on.

#include <cstdint>
#include <string>

namespace lathe {

/// Where training is. Measures that do not exist are NaN.
struct TrainingEvent {
  std::string stage;
  uint64_t step = 0;
  uint64_t steps = 0;  // 0: not known, minutes decide
  double train_loss = 0;
  double held_out_loss = 0;  // of the latest check
  std::string measure_name;  // "cosine", "accuracy"
  double measure = 0;        // on the held-out part, of the latest check
  double tokens_per_second = 0;
  double seconds_left = 0;
  bool checked = false;  // the held-out part was measured at this very step
};

/// How long work reports itself; called from one thread. Also asks whether to stop.
class Progress {
 public:
  virtual ~Progress() = default;
  /// A stage of `steps` steps begins; the one before it is over. `steps` 0: how many is not known.
  virtual void stage(const std::string& name, uint64_t steps) = 0;
  /// So many steps of the stage are done, from its beginning.
  virtual void advance(uint64_t done_steps) = 0;
  /// Something that the user should read, whatever the stage: one sentence without a full stop.
  virtual void note(const std::string& sentence) = 0;
  /// One step of training; called often, so a display draws what it likes and a log writes the checked ones.
  virtual void training(const TrainingEvent&) {}
  /// True once the work should stop; it then throws Error{interrupted} at the next place where that is safe.
  virtual bool cancelled() const { return false; }
};

/// Says nothing and never stops.
class SilentProgress : public Progress {
 public:
  void stage(const std::string&, uint64_t) override {}
  void advance(uint64_t) override {}
  void note(const std::string&) override {}
};

}  // namespace lathe
