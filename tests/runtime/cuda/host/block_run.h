#pragma once
// Runs the threads of a block on the host: each is a fiber that stops where it waits for others.

#include <array>
#include <boost/context/fiber.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "runtime/cuda/device.h"

namespace lathe::test {

/// In which order the threads of a block go on when several could: a result that depends on it lacks a barrier.
enum class ThreadOrder { forward, backward, random };

/// What a lane gives to the others of its warp.
using LaneWords = std::array<uint32_t, 8>;

/// One block at a time. Not for several threads of the host.
class BlockRun {
 public:
  BlockRun(unsigned threads, unsigned shared_bytes, ThreadOrder order, uint64_t seed);

  /// Calls body(thread) for every thread of the block. Throws std::runtime_error when threads wait for each other for
  /// ever, end before a barrier, take different ways through a warp, or write past the shared memory.
  void run(const cuda::Grid& block, const std::function<void(unsigned thread)>& body);

  /// Of the block that runs.
  const cuda::Grid& block() const { return block_; }
  unsigned threads() const { return static_cast<unsigned>(fibers_.size()); }
  std::byte* shared() { return shared_.data() + kGuard; }

  /// Waits for all threads of the block.
  void sync(unsigned thread);
  /// Gives `words` to the warp and waits for all its lanes. What the others gave stays readable until the next
  /// exchange. `kind` says which collective it is, so that lanes that disagree are found.
  const std::array<LaneWords, 32>& exchange(unsigned thread, int kind, const LaneWords& words);

 private:
  static constexpr size_t kGuard = 256;
  static constexpr std::byte kGuardByte{0xa5};

  enum class State { ready, at_barrier, in_warp, done };
  struct Fiber {
    boost::context::fiber thread;     // while the scheduler runs
    boost::context::fiber scheduler;  // while the thread runs
    State state = State::done;
    std::byte* stack = nullptr;
    void* fake_stack = nullptr;  // of the address sanitizer
  };
  struct Departure;
  struct Arrival;
  struct Warp {
    unsigned arrived = 0;
    unsigned parity = 0;
    int kind = 0;
    std::array<std::array<LaneWords, 32>, 2> words;
  };

  void start(unsigned thread, const std::function<void(unsigned)>& body);
  void wait(unsigned thread, State state);
  /// Runs the fiber until it waits or ends; destroys one that waits, which unwinds its stack.
  template <class Switch>
  void switch_to(Fiber& fiber, const Switch& go);
  void release_barrier();
  void check_shared() const;
  std::vector<unsigned> order_of_turn();

  std::vector<Fiber> fibers_;
  std::vector<Warp> warps_;
  std::vector<std::byte> shared_;
  ThreadOrder order_;
  std::mt19937_64 random_;
  cuda::Grid block_;
  unsigned at_barrier_ = 0;
  std::string fault_;
  // The stack of the scheduler, for the address sanitizer.
  const void* scheduler_stack_ = nullptr;
  size_t scheduler_bytes_ = 0;
};

}  // namespace lathe::test
