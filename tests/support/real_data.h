#pragma once
// Real models and texts, where LATHE_TEST_DATA names the folder into which experiments/data/fetch.py has put them.

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

namespace lathe::test {

/// The folder, if it holds `file`; otherwise an empty path and a warning.
inline std::filesystem::path real_data(const char* file) {
  const char* folder = std::getenv("LATHE_TEST_DATA");
  if (folder != nullptr && std::filesystem::exists(std::filesystem::path(folder) / file)) return folder;
  WARN("LATHE_TEST_DATA names no folder with " << file << ": skipped");
  return {};
}

}  // namespace lathe::test
