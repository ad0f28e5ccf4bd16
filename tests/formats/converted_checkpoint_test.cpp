#include "formats/converted_checkpoint.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <numeric>
#include <thread>

#include "tests/formats/expect_error.h"
#include "tests/support/resident_memory.h"
#include "tests/support/safetensors_builder.h"
#include "tests/support/temp_dir.h"

namespace lathe {
namespace {

using test::expect_error;
using test::resident_file_kilobytes;

TensorConversion counting(uint64_t numbers, float value, std::atomic<int>& calls) {
  return {{numbers},
          [numbers, value, &calls](void* out) {
            ++calls;
            std::fill_n(static_cast<float*>(out), numbers, value);
          },
          "origin.gguf"};
}

std::shared_ptr<const Checkpoint> base_with(const test::TempDir& folder) {
  return open_checkpoint(folder.write(
      "base.safetensors",
      test::SafetensorsBuilder().add_f32("a", {2}, {1, 2}).add_f32("fused", {1}, {9}).add_f32("z", {1}, {3}).build()));
}

TEST_CASE("converted tensors stand beside those of the base, and hidden ones are gone", "[formats][converted]") {
  const test::TempDir folder;
  std::atomic<int> calls = 0;
  const ConvertedCheckpoint checkpoint(base_with(folder), {{"part", counting(3, 5, calls)}}, {"fused"});
  CHECK(checkpoint.names() == std::vector<std::string>{"a", "part", "z"});
  CHECK(checkpoint.has("part"));
  CHECK_FALSE(checkpoint.has("fused"));
  CHECK(read_f32(checkpoint, "a") == std::vector<float>{1, 2});
  CHECK(read_f32(checkpoint, "part") == std::vector<float>{5, 5, 5});
  CHECK(checkpoint.where("part") == "origin.gguf");
  CHECK(checkpoint.where("a") == (folder / "base.safetensors").string());
  CHECK(checkpoint.files().size() == 1);
  expect_error(Errc::malformed, {"base.safetensors", "tensor fused is missing"}, [&] { checkpoint.tensor("fused"); });
}

TEST_CASE("a conversion replaces the tensor of that name in the base", "[formats][converted]") {
  const test::TempDir folder;
  std::atomic<int> calls = 0;
  const ConvertedCheckpoint checkpoint(base_with(folder), {{"a", counting(2, 7, calls)}}, {});
  CHECK(checkpoint.names() == std::vector<std::string>{"a", "fused", "z"});
  CHECK(read_f32(checkpoint, "a") == std::vector<float>{7, 7});
}

TEST_CASE("a converted tensor has the type that its conversion says", "[formats][converted]") {
  const auto write = [](void* out) {
    std::iota(static_cast<int16_t*>(out), static_cast<int16_t*>(out) + 6, int16_t{7});
  };
  const ConvertedCheckpoint checkpoint(nullptr, {{"x", {{2, 3}, write, "m.bin", DType::i16}}}, {});
  const TensorView tensor = checkpoint.tensor("x");
  CHECK(tensor.dtype == DType::i16);
  CHECK(tensor.shape == Shape{2, 3});
  REQUIRE(tensor.bytes.size() == 12);
  CHECK(load_le<int16_t>(tensor.bytes.data() + 10) == 12);
}

TEST_CASE("a checkpoint of conversions alone tells what it was read from", "[formats][converted]") {
  std::atomic<int> calls = 0;
  const ConvertedCheckpoint checkpoint(nullptr, {{"x", counting(1, 5, calls)}}, {}, {{"m.gguf", 12}});
  CHECK(checkpoint.files().size() == 1);
  CHECK(checkpoint.files()[0].bytes == 12);
  expect_error(Errc::malformed, {"m.gguf", "tensor y is missing"}, [&] { checkpoint.tensor("y"); });
}

TEST_CASE("a tensor is converted once however many threads ask for it", "[formats][converted]") {
  std::atomic<int> calls = 0;
  std::map<std::string, TensorConversion> conversions;
  for (int i = 0; i < 8; ++i) {
    conversions["t" + std::to_string(i)] = counting(5000, static_cast<float>(i), calls);
  }
  const ConvertedCheckpoint checkpoint(nullptr, conversions, {});
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 8; ++i) {
        const std::vector<float> values = read_f32(checkpoint, "t" + std::to_string(i));
        if (values != std::vector<float>(5000, static_cast<float>(i))) ++wrong;
        checkpoint.release("t" + std::to_string(i));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(calls == 8);
}

TEST_CASE("released tensors need no memory and keep their numbers", "[formats][converted]") {
  constexpr uint64_t kNumbers = uint64_t{8} << 20;  // 32 MiB
  std::atomic<int> calls = 0;
  const ConvertedCheckpoint checkpoint(nullptr, {{"big", counting(kNumbers, 3, calls)}}, {});
  const uint64_t before = resident_file_kilobytes();
  CHECK(checkpoint.tensor("big").bytes.size() == kNumbers * sizeof(float));
  CHECK(resident_file_kilobytes() > before + 30'000);
  checkpoint.release("big");
  CHECK(resident_file_kilobytes() < before + 5'000);
  const TensorView again = checkpoint.tensor("big");
  CHECK(load_le<float>(again.bytes.data() + again.bytes.size() - 4) == 3);
  CHECK(calls == 1);
}

TEST_CASE("a conversion that fails is tried again", "[formats][converted]") {
  int calls = 0;
  const ConvertedCheckpoint checkpoint(nullptr,
                                       {{"x",
                                         {{1},
                                          [&](void* out) {
                                            if (++calls == 1) fail(Errc::io, "first time");
                                            *static_cast<float*>(out) = 4;
                                          },
                                          "m.gguf"}}},
                                       {});
  expect_error(Errc::io, {"first time"}, [&] { checkpoint.tensor("x"); });
  CHECK(read_f32(checkpoint, "x") == std::vector<float>{4});
}

TEST_CASE("a folder that takes no temporary file is an error that names it", "[formats][converted]") {
  const char* old = std::getenv("TMPDIR");
  const std::string kept = old == nullptr ? "" : old;
  ::setenv("TMPDIR", "/nonexistent-folder", 1);
  std::atomic<int> calls = 0;
  const ConvertedCheckpoint checkpoint(nullptr, {{"x", counting(1, 5, calls)}}, {});
  expect_error(Errc::io, {"/nonexistent-folder", "temporary file"}, [&] { checkpoint.tensor("x"); });
  if (old == nullptr) {
    ::unsetenv("TMPDIR");
  } else {
    ::setenv("TMPDIR", kept.c_str(), 1);
  }
}

}  // namespace
}  // namespace lathe
