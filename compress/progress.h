#pragma once
// How long work tells its caller where it is, and asks whether to go on.

#include <cstdint>
#include <string>

namespace lathe {

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
