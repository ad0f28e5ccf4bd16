#include "tests/runtime/cuda/host/block_run.h"

#include <algorithm>
#include <boost/context/stack_context.hpp>
#include <memory>
#include <numeric>
#include <stdexcept>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace lathe::test {
namespace {

constexpr size_t kStackBytes = 128 << 10;

// Stacks are used again by every block of every launch.
std::byte* stack_of(unsigned thread) {
  static std::vector<std::unique_ptr<std::byte[]>> stacks;
  while (stacks.size() <= thread) stacks.emplace_back(new std::byte[kStackBytes]);
  return stacks[thread].get();
}

// Gives a fiber a stack that is there already.
struct GivenStack {
  std::byte* memory;

  boost::context::stack_context allocate() const {
    boost::context::stack_context stack;
    stack.size = kStackBytes;
    stack.sp = memory + kStackBytes;
    return stack;
  }
  void deallocate(boost::context::stack_context&) const noexcept {}
};

// The address sanitizer has to know on which stack the program runs.
#ifdef __SANITIZE_ADDRESS__
void start_switch(void** fake_stack, const void* bottom, size_t bytes) {
  __sanitizer_start_switch_fiber(fake_stack, bottom, bytes);
}
void finish_switch(void* fake_stack, const void** old_bottom, size_t* old_bytes) {
  __sanitizer_finish_switch_fiber(fake_stack, old_bottom, old_bytes);
}
void forget_frames(std::byte* stack) { __asan_unpoison_memory_region(stack, kStackBytes); }
#else
void start_switch(void**, const void*, size_t) {}
void finish_switch(void*, const void**, size_t*) {}
void forget_frames(std::byte*) {}
#endif

}  // namespace

template <class Switch>
void BlockRun::switch_to(Fiber& fiber, const Switch& go) {
  void* fake_stack = nullptr;
  start_switch(&fake_stack, fiber.stack, kStackBytes);
  go();
  finish_switch(fake_stack, nullptr, nullptr);
}

BlockRun::BlockRun(unsigned threads, unsigned shared_bytes, ThreadOrder order, uint64_t seed)
    : fibers_(threads), warps_((threads + 31) / 32), shared_(shared_bytes + 2 * kGuard), order_(order), random_(seed) {}

void BlockRun::run(const cuda::Grid& block, const std::function<void(unsigned)>& body) {
  block_ = block;
  at_barrier_ = 0;
  std::fill(shared_.begin(), shared_.end(), kGuardByte);  // inside, too: what nobody wrote should not look like zero
  for (Warp& warp : warps_) warp.arrived = 0;
  for (unsigned thread = 0; thread < threads(); ++thread) start(thread, body);
  for (bool any_ran = true; any_ran && fault_.empty();) {
    any_ran = false;
    for (const unsigned thread : order_of_turn()) {
      Fiber& fiber = fibers_[thread];
      if (fiber.state != State::ready) continue;
      any_ran = true;
      switch_to(fiber, [&] { fiber.thread = std::move(fiber.thread).resume(); });
    }
  }
  const bool all_done =
      std::all_of(fibers_.begin(), fibers_.end(), [](const Fiber& fiber) { return fiber.state == State::done; });
  if (fault_.empty() && !all_done) fault_ = "some threads ended, or wait elsewhere, while others wait for them";
  for (Fiber& fiber : fibers_) {
    if (fiber.thread) switch_to(fiber, [&] { fiber.thread = {}; });
  }
  if (!fault_.empty()) throw std::runtime_error(std::exchange(fault_, {}));
  check_shared();
}

// Leaves a fiber for good, also when it is destroyed and an exception unwinds its stack.
struct BlockRun::Departure {
  BlockRun& block;
  ~Departure() { start_switch(nullptr, block.scheduler_stack_, block.scheduler_bytes_); }
};

// Comes back to a fiber that waited, also when it is destroyed, which throws from where it waited.
struct BlockRun::Arrival {
  BlockRun& block;
  Fiber& fiber;
  ~Arrival() { finish_switch(fiber.fake_stack, &block.scheduler_stack_, &block.scheduler_bytes_); }
};

void BlockRun::start(unsigned thread, const std::function<void(unsigned)>& body) {
  Fiber& fiber = fibers_[thread];
  fiber.state = State::ready;
  fiber.stack = stack_of(thread);
  forget_frames(fiber.stack);
  fiber.thread = boost::context::fiber(std::allocator_arg, GivenStack{fiber.stack},
                                       [this, thread, &body, &fiber](boost::context::fiber&& scheduler) {
                                         finish_switch(nullptr, &scheduler_stack_, &scheduler_bytes_);
                                         const Departure departure{*this};
                                         fiber.scheduler = std::move(scheduler);
                                         try {
                                           body(thread);
                                         } catch (const std::exception& error) {
                                           fault_ = error.what();
                                         }
                                         fiber.state = State::done;
                                         return std::move(fiber.scheduler);
                                       });
}

void BlockRun::wait(unsigned thread, State state) {
  Fiber& fiber = fibers_[thread];
  fiber.state = state;
  while (fiber.state != State::ready) {
    start_switch(&fiber.fake_stack, scheduler_stack_, scheduler_bytes_);
    const Arrival arrival{*this, fiber};
    fiber.scheduler = std::move(fiber.scheduler).resume();
  }
}

void BlockRun::sync(unsigned thread) {
  if (++at_barrier_ == threads()) return release_barrier();
  wait(thread, State::at_barrier);
}

void BlockRun::release_barrier() {
  at_barrier_ = 0;
  for (Fiber& fiber : fibers_) {
    if (fiber.state == State::at_barrier) fiber.state = State::ready;
  }
}

const std::array<LaneWords, 32>& BlockRun::exchange(unsigned thread, int kind, const LaneWords& words) {
  Warp& warp = warps_[thread / 32];
  const unsigned first = thread / 32 * 32;
  const unsigned lanes = std::min(32u, threads() - first);
  if (warp.arrived == 0) {
    warp.kind = kind;
    warp.parity ^= 1;
  } else if (warp.kind != kind) {
    throw std::runtime_error("lanes of a warp take part in different collectives");
  }
  const std::array<LaneWords, 32>& all = warp.words[warp.parity];
  warp.words[warp.parity][thread - first] = words;
  if (++warp.arrived == lanes) {
    warp.arrived = 0;
    for (unsigned lane = 0; lane < lanes; ++lane) {
      if (fibers_[first + lane].state == State::in_warp) fibers_[first + lane].state = State::ready;
    }
    return all;
  }
  wait(thread, State::in_warp);
  return all;
}

void BlockRun::check_shared() const {
  const auto is_guard = [](std::byte byte) { return byte == kGuardByte; };
  if (!std::all_of(shared_.begin(), shared_.begin() + kGuard, is_guard) ||
      !std::all_of(shared_.end() - kGuard, shared_.end(), is_guard)) {
    throw std::runtime_error("a kernel wrote outside its shared memory");
  }
}

std::vector<unsigned> BlockRun::order_of_turn() {
  std::vector<unsigned> order(threads());
  std::iota(order.begin(), order.end(), 0u);
  if (order_ == ThreadOrder::backward) std::reverse(order.begin(), order.end());
  if (order_ == ThreadOrder::random) std::shuffle(order.begin(), order.end(), random_);
  return order;
}

}  // namespace lathe::test
