// The host execution layer finds what is wrong with a kernel, and its tensor cores follow the layouts of the PTX
// documents.

#include "tests/runtime/cuda/host/host_device.h"

#include <catch2/catch.hpp>

#include "runtime/cuda/launch.h"
#include "tests/formats/expect_error.h"
#include "tests/runtime/cuda/host/host_thread.h"

namespace lathe {
namespace {

using test::BlockRun;
using test::HostThread;
using test::ThreadOrder;

// Each thread writes its number and reads its neighbour's; without the barrier it may come too early.
template <bool with_barrier>
std::vector<uint32_t> neighbours(ThreadOrder order) {
  constexpr unsigned kThreads = 64;
  BlockRun block(kThreads, kThreads * 4, order, 7);
  std::vector<uint32_t> read(kThreads);
  block.run({}, [&](unsigned thread) {
    const HostThread t(block, thread);
    t.shared<uint32_t>()[thread] = thread;
    if (with_barrier) t.sync();
    read[thread] = t.shared<uint32_t>()[(thread + 1) % kThreads];
  });
  return read;
}

}  // namespace

TEST_CASE("a missing barrier shows in the order of threads", "[runtime][cuda][host]") {
  std::vector<uint32_t> expected(64);
  for (uint32_t i = 0; i < 64; ++i) expected[i] = (i + 1) % 64;
  for (const ThreadOrder order : {ThreadOrder::forward, ThreadOrder::backward, ThreadOrder::random}) {
    CHECK(neighbours<true>(order) == expected);
    CHECK(neighbours<false>(order) != expected);
  }
}

TEST_CASE("threads that wait for those that ended, and writes outside, are faults", "[runtime][cuda][host]") {
  BlockRun block(64, 64, ThreadOrder::forward, 0);
  const auto early = [&](unsigned thread) {
    if (thread != 3) HostThread(block, thread).sync();
  };
  CHECK_THROWS_WITH(block.run({}, early), Catch::Contains("wait for them"));
  const auto outside = [&](unsigned thread) {
    if (thread == 0) HostThread(block, thread).shared<char>()[64] = 1;
  };
  CHECK_THROWS_WITH(block.run({}, outside), Catch::Contains("outside its shared memory"));
  const auto apart = [&](unsigned thread) {
    const HostThread t(block, thread);
    thread % 2 == 0 ? t.sync_warp() : static_cast<void>(t.shuffle(1, 0));
  };
  CHECK_THROWS_WITH(block.run({}, apart), Catch::Contains("different collectives"));

  test::HostDevice device;
  auto* memory = static_cast<float*>(device.allocate(40, "test"));
  memory[10] = 1;
  test::expect_error(Errc::internal, {"test wrote outside"}, [&] { device.check_guards("test"); });
  device.release(memory);
}

TEST_CASE("shuffles give the values of other lanes", "[runtime][cuda][host]") {
  BlockRun block(64, 0, ThreadOrder::random, 5);
  std::vector<float> sums(64);
  std::vector<unsigned> ups(64);
  block.run({}, [&](unsigned thread) {
    const HostThread t(block, thread);
    sums[thread] = cuda::warp_sum(t, static_cast<float>(thread));
    ups[thread] = t.shuffle_up(thread, 2u);
  });
  CHECK(sums[5] == 31 * 16);
  CHECK(sums[40] == 31 * 16 + 32 * 32);
  CHECK(ups[1] == 1);
  CHECK(ups[10] == 8);
  CHECK(ups[33] == 33);
}

TEST_CASE("the integer tensor cores multiply matrices whose fragments lie as PTX says", "[runtime][cuda][host]") {
  // a [16, 32] of u8, b [32, 8] of s8.
  const auto a = [](unsigned row, unsigned k) { return static_cast<uint8_t>(row * 37 + k * 11 + 130); };
  const auto b = [](unsigned k, unsigned column) { return static_cast<int8_t>(column * 29 + k * 7 - 90); };
  BlockRun block(32, 0, ThreadOrder::backward, 0);
  std::vector<int> product(16 * 8);
  block.run({}, [&](unsigned lane) {
    const unsigned group = lane / 4, in_group = lane % 4;
    uint32_t a_words[4] = {}, b_words[2] = {};
    for (unsigned i = 0; i < 16; ++i) {  // a0 .. a15, as in the tables for .u8 of mma.m16n8k32
      const unsigned row = i < 4 || (i >= 8 && i < 12) ? group : group + 8;
      const unsigned column = in_group * 4 + (i & 3) + (i < 8 ? 0 : 16);
      a_words[i / 4] |= static_cast<uint32_t>(a(row, column)) << (8 * (i % 4));
    }
    for (unsigned i = 0; i < 8; ++i) {
      const unsigned row = in_group * 4 + (i & 3) + (i < 4 ? 0 : 16);
      b_words[i / 4] |= static_cast<uint32_t>(static_cast<uint8_t>(b(row, group))) << (8 * (i % 4));
    }
    int d[4] = {};
    HostThread(block, lane).mma_u8s8(d, a_words, b_words);
    for (unsigned i = 0; i < 4; ++i) product[(group + (i < 2 ? 0 : 8)) * 8 + in_group * 2 + (i & 1)] = d[i];
  });
  for (unsigned row = 0; row < 16; ++row) {
    for (unsigned column = 0; column < 8; ++column) {
      int expected = 0;
      for (unsigned k = 0; k < 32; ++k) expected += a(row, k) * b(k, column);
      CHECK(product[row * 8 + column] == expected);
    }
  }
}

TEST_CASE("copies to shared memory arrive when they are waited for and not before", "[runtime][cuda][host]") {
  BlockRun block(32, 64, ThreadOrder::forward, 0);
  const std::vector<uint32_t> source = {1, 2, 3, 4, 5, 6, 7, 8};
  block.run({}, [&](unsigned thread) {
    if (thread != 0) return;
    const HostThread t(block, thread);
    auto* to = t.shared<uint32_t>();
    to[0] = to[4] = 99;
    t.copy16(to, source.data(), true);
    t.commit_copies();
    t.copy16(to + 4, source.data() + 4, false);
    t.commit_copies();
    CHECK(to[0] == 99);
    t.wait_copies<1>();
    CHECK(to[3] == 4);
    CHECK(to[4] == 99);
    t.wait_copies<0>();
    CHECK(to[4] == 0);
  });
}

}  // namespace lathe
