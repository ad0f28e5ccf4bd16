#pragma once
// A small fork-join pool: the caller is one of its workers, idle workers spin for a moment and then sleep.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace lathe {

/// Cores that this process may run on.
size_t available_cores();

/// A barrier for `count` threads that may be used any number of times. Waiting threads spin, and yield their core when
/// the wait is long.
class Barrier {
 public:
  explicit Barrier(size_t count) : count_(count) {}
  void wait();

 private:
  size_t count_;
  std::atomic<size_t> arrived_{0};
  std::atomic<uint32_t> round_{0};
};

/// Used by one thread at a time. Destruction joins.
class ThreadPool {
 public:
  /// `threads` counts the caller; at least 1.
  explicit ThreadPool(size_t threads);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  size_t size() const { return workers_.size() + 1; }

  /// Calls task(index, worker) once for each index below `count`, in any order; worker is below size(). Which worker
  /// gets which index is not fixed: results must not depend on it. The first exception is rethrown here.
  void parallel_for(size_t count, const std::function<void(size_t index, size_t worker)>& task);

  /// Calls task(worker) once on every worker; all of them run at the same time and may meet at a Barrier for size().
  /// The task must not throw.
  void together(const std::function<void(size_t worker)>& task);

 private:
  void work(size_t worker);
  void drain(size_t worker);
  bool join();

  std::vector<std::thread> workers_;
  const std::function<void(size_t, size_t)>* task_ = nullptr;
  size_t count_ = 0;
  std::atomic<size_t> next_{0};
  // A flag that is set while workers may join a call, and the number of workers that have joined. The call is over when
  // the flag is clear and the number is 0. A worker that wakes up late finds the flag clear, and nobody waits for it.
  std::atomic<uint32_t> entry_{0};
  std::atomic<uint32_t> generation_{0};
  std::atomic<bool> stop_{false};
  std::mutex error_mutex_;
  std::exception_ptr error_;
};

}  // namespace lathe
