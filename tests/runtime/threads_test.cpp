#include "runtime/threads.h"

#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace lathe {

TEST_CASE("every index is visited exactly once by a worker of the pool", "[runtime][threads]") {
  const size_t threads = GENERATE(1, 2, 3, 8);
  const size_t count = GENERATE(0, 1, 2, 7, 1000);
  CAPTURE(threads, count);
  ThreadPool pool(threads);
  CHECK(pool.size() == threads);
  std::vector<std::atomic<int>> visits(count);
  std::atomic<bool> workers_known{true};
  pool.parallel_for(count, [&](size_t index, size_t worker) {
    visits[index].fetch_add(1);
    if (worker >= threads) workers_known = false;
  });
  CHECK(workers_known);
  for (const std::atomic<int>& visit : visits) CHECK(visit == 1);
}

TEST_CASE("a pool is used again and again, and results of a call are visible after it", "[runtime][threads]") {
  ThreadPool pool(3);
  std::vector<size_t> values(17);
  for (size_t round = 0; round < 5000; ++round) {
    pool.parallel_for(values.size(), [&](size_t index, size_t) { values[index] = round + index; });
    const size_t sum = std::accumulate(values.begin(), values.end(), size_t{0});
    REQUIRE(sum == 17 * round + 17 * 16 / 2);
  }
}

TEST_CASE("workers that fell asleep are woken", "[runtime][threads]") {
  ThreadPool pool(4);
  for (int round = 0; round < 3; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    std::atomic<size_t> done{0};
    pool.parallel_for(100, [&](size_t, size_t) { done.fetch_add(1); });
    CHECK(done == 100);
  }
}

TEST_CASE("no two indices run on one worker at a time", "[runtime][threads]") {
  ThreadPool pool(3);
  std::vector<std::atomic<int>> inside(pool.size());
  std::atomic<bool> alone{true};
  pool.parallel_for(2000, [&](size_t, size_t worker) {
    if (inside[worker].fetch_add(1) != 0) alone = false;
    inside[worker].fetch_sub(1);
  });
  CHECK(alone);
}

TEST_CASE("an exception of a task reaches the caller, and the pool works on", "[runtime][threads]") {
  const size_t threads = GENERATE(1, 2, 4);
  ThreadPool pool(threads);
  for (int round = 0; round < 20; ++round) {
    const auto fail_at = static_cast<size_t>(round * 5);
    CHECK_THROWS_WITH(pool.parallel_for(100,
                                        [&](size_t index, size_t) {
                                          if (index == fail_at)
                                            throw std::runtime_error("index " + std::to_string(index));
                                        }),
                      "index " + std::to_string(fail_at));
    std::atomic<size_t> done{0};
    pool.parallel_for(100, [&](size_t, size_t) { done.fetch_add(1); });
    CHECK(done == 100);
  }
}

TEST_CASE("when every task throws, one exception arrives", "[runtime][threads]") {
  ThreadPool pool(4);
  CHECK_THROWS_AS(pool.parallel_for(1000, [](size_t, size_t) { throw std::length_error("x"); }), std::length_error);
}

TEST_CASE("pools of several threads do not disturb each other", "[runtime][threads]") {
  std::vector<std::thread> callers;
  std::array<std::atomic<size_t>, 3> sums{};
  for (std::atomic<size_t>& sum : sums) {
    callers.emplace_back([&sum] {
      ThreadPool pool(2);
      for (int round = 0; round < 200; ++round) {
        pool.parallel_for(50, [&](size_t index, size_t) { sum.fetch_add(index); });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  for (const std::atomic<size_t>& sum : sums) CHECK(sum == 200 * 49 * 50 / 2);
}

TEST_CASE("a pool that was never used ends, and there is at least one core", "[runtime][threads]") {
  for (int round = 0; round < 50; ++round) ThreadPool pool(3);
  CHECK(available_cores() >= 1);
}

}  // namespace lathe
