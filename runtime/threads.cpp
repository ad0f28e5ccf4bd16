#include "runtime/threads.h"

#include <sched.h>

#include <algorithm>

namespace lathe {
namespace {

// About 50 microseconds: longer than the gaps between the segments of a forward pass, short enough for an idle
// session to cost nothing.
constexpr int kSpins = 2000;
constexpr uint32_t kOpen = uint32_t{1} << 31;

void pause() { __builtin_ia32_pause(); }

}  // namespace

size_t available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return static_cast<size_t>(std::max(1, CPU_COUNT(&set)));
  return std::max<size_t>(1, std::thread::hardware_concurrency());
}

void Barrier::wait() {
  const uint32_t round = round_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == count_) {
    arrived_.store(0, std::memory_order_relaxed);
    round_.store(round + 1, std::memory_order_release);
    return;
  }
  for (int spin = 0; round_.load(std::memory_order_acquire) == round; ++spin) {
    if (spin < kSpins) {
      pause();
    } else {
      ::sched_yield();
    }
  }
}

ThreadPool::ThreadPool(size_t threads) {
  for (size_t worker = 1; worker < threads; ++worker) workers_.emplace_back([this, worker] { work(worker); });
}

ThreadPool::~ThreadPool() {
  stop_ = true;
  generation_.fetch_add(1);
  generation_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::drain(size_t worker) {
  try {
    for (size_t index = next_.fetch_add(1); index < count_; index = next_.fetch_add(1)) (*task_)(index, worker);
  } catch (...) {
    const std::lock_guard lock(error_mutex_);
    if (error_ == nullptr) error_ = std::current_exception();
    next_.store(count_);
  }
}

// Joins the present call if it is open. Task and count then stay as they are until the worker leaves.
bool ThreadPool::join() {
  uint32_t seen = entry_.load(std::memory_order_relaxed);
  while ((seen & kOpen) != 0) {
    if (entry_.compare_exchange_weak(seen, seen + 1, std::memory_order_acquire)) return true;
  }
  return false;
}

void ThreadPool::work(size_t worker) {
  uint32_t seen = 0;
  for (;;) {
    for (int spin = 0; spin < kSpins && generation_.load(std::memory_order_acquire) == seen; ++spin) pause();
    generation_.wait(seen, std::memory_order_acquire);
    seen = generation_.load(std::memory_order_acquire);
    if (stop_) return;
    if (!join()) continue;
    drain(worker);
    entry_.fetch_sub(1, std::memory_order_release);
  }
}

void ThreadPool::parallel_for(size_t count, const std::function<void(size_t, size_t)>& task) {
  if (workers_.empty() || count <= 1) {
    for (size_t index = 0; index < count; ++index) task(index, 0);
    return;
  }
  task_ = &task;
  count_ = count;
  error_ = nullptr;
  next_.store(0);
  entry_.store(kOpen, std::memory_order_release);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  drain(0);
  entry_.fetch_and(~kOpen, std::memory_order_acq_rel);
  while (entry_.load(std::memory_order_acquire) != 0) pause();
  if (error_ != nullptr) std::rethrow_exception(error_);
}

// No worker finishes before all have started, so every worker takes exactly one index.
void ThreadPool::together(const std::function<void(size_t)>& task) {
  Barrier all(size());
  parallel_for(size(), [&](size_t, size_t worker) {
    all.wait();
    task(worker);
  });
}

}  // namespace lathe
