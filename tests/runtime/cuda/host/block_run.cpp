#include "tests/runtime/cuda/host/block_run.h"

#include <algorithm>
#include <boost/context/fixedsize_stack.hpp>
#include <numeric>
#include <stdexcept>

#include "formats/artifact/error.h"

namespace lathe::test {
namespace {

constexpr size_t kStackBytes = 128 << 10;

}  // namespace

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
      fiber.thread = std::move(fiber.thread).resume();
    }
  }
  const bool all_done =
      std::all_of(fibers_.begin(), fibers_.end(), [](const Fiber& fiber) { return fiber.state == State::done; });
  if (fault_.empty() && !all_done) fault_ = "some threads ended, or wait elsewhere, while others wait for them";
  for (Fiber& fiber : fibers_) fiber.thread = {};  // unwinds those that still wait
  if (!fault_.empty()) throw std::runtime_error(std::exchange(fault_, {}));
  check_shared();
}

void BlockRun::start(unsigned thread, const std::function<void(unsigned)>& body) {
  Fiber& fiber = fibers_[thread];
  fiber.state = State::ready;
  fiber.thread = boost::context::fiber(std::allocator_arg, boost::context::fixedsize_stack(kStackBytes),
                                       [this, thread, &body, &fiber](boost::context::fiber&& scheduler) {
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
  while (fiber.state != State::ready) fiber.scheduler = std::move(fiber.scheduler).resume();
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
