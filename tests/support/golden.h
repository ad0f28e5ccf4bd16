#pragma once
// The artifacts of released versions in tests/data/golden.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/paths.h"

namespace lathe::test {

/// Artifacts that have to be there at least, and those among them whose matrices are all integers.
inline constexpr size_t kGoldenArtifacts = 38, kExactGoldenArtifacts = 26;

/// All artifacts, sorted by name.
inline std::vector<std::filesystem::path> golden_artifacts() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(data_path("golden"))) {
    if (entry.path().extension() == ".lathe") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

/// The file with this extension that all artifacts of a family share: "llama.ids" for "llama-int8.lathe".
inline std::filesystem::path golden_family_file(const std::filesystem::path& artifact, const std::string& extension) {
  const std::string name = artifact.filename().string();
  return artifact.parent_path() / (name.substr(0, name.find('-')) + extension);
}

/// The whole file. Throws when it cannot be read.
inline std::string golden_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

}  // namespace lathe::test
