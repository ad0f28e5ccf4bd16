#include <catch2/catch.hpp>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "runtime/c_api/lathe.h"
#include "runtime/text/embedder.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny_artifact.h"

extern "C" int lathe_c_api_check(const char* path);

namespace lathe {
namespace {

using test::TempDir;
using test::write_tiny;

}  // namespace

TEST_CASE("a C program opens an artifact, embeds texts and gets errors as values", "[runtime][c_api]") {
  const TempDir dir;
  const std::string path = write_tiny(dir / "m.lathe").string();
  CHECK(lathe_c_api_check(path.c_str()) == 0);  // otherwise the line in c_api_check.c
}

TEST_CASE("the C interface gives the numbers of the C++ one", "[runtime][c_api]") {
  const TempDir dir;
  const std::string path = write_tiny(dir / "m.lathe").string();
  const Model model = Model::open(path);
  const std::vector<float> expected = Embedder(model, 1).embed({"the dog ran"});
  lathe_model* handle = nullptr;
  REQUIRE(lathe_open(path.c_str(), 0, &handle) == LATHE_OK);
  const char* text = "the dog ran";
  std::vector<float> row(32);
  CHECK(lathe_embed(handle, &text, 1, row.data(), row.size()) == LATHE_OK);
  CHECK(row == expected);
  lathe_close(handle);
}

TEST_CASE("the C interface tells a missing file from a damaged one", "[runtime][c_api]") {
  const TempDir dir;
  lathe_model* handle = reinterpret_cast<lathe_model*>(1);
  CHECK(lathe_open((dir / "absent.lathe").c_str(), 1, &handle) == LATHE_ERROR_NO_INPUT);
  CHECK(handle == nullptr);
  CHECK_THAT(lathe_last_error(), Catch::Matchers::Contains("absent.lathe"));
  CHECK(lathe_open(dir.write("bad.lathe", std::string(200, 'x')).c_str(), 1, &handle) == LATHE_ERROR_MALFORMED);
  CHECK_THAT(lathe_last_error(), Catch::Matchers::Contains("bad.lathe"));
  CHECK(lathe_open(nullptr, 1, &handle) == LATHE_ERROR_USAGE);
  CHECK(lathe_open("x", 1, nullptr) == LATHE_ERROR_USAGE);
}

TEST_CASE("errors of the C interface belong to the thread that made them", "[runtime][c_api]") {
  lathe_model* handle = nullptr;
  REQUIRE(lathe_open(nullptr, 1, &handle) == LATHE_ERROR_USAGE);
  std::string other = "untouched";
  std::thread([&] { other = lathe_last_error(); }).join();
  CHECK(other.empty());
  CHECK(std::string(lathe_last_error()).find("path") != std::string::npos);
}

TEST_CASE("several threads may use one handle of the C interface", "[runtime][c_api]") {
  const TempDir dir;
  lathe_model* handle = nullptr;
  REQUIRE(lathe_open(write_tiny(dir / "m.lathe").c_str(), 1, &handle) == LATHE_OK);
  const std::vector<const char*> texts = {"the cat", "a dog sat", "the moon is bright ."};
  std::vector<float> expected(3 * 32);
  REQUIRE(lathe_embed(handle, texts.data(), 3, expected.data(), expected.size()) == LATHE_OK);
  std::vector<std::vector<float>> results(4, std::vector<float>(3 * 32));
  std::vector<std::thread> threads;
  for (auto& result : results) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) lathe_embed(handle, texts.data(), 3, result.data(), result.size());
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& result : results) CHECK(result == expected);
  lathe_close(handle);
}

TEST_CASE("the C interface knows its version", "[runtime][c_api]") {
  CHECK_THAT(lathe_version(), Catch::Matchers::Matches("[0-9]+\\.[0-9]+\\.[0-9]+"));
}

}  // namespace lathe
