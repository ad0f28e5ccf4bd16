#pragma once
// Reads what experiments/references/record_bert_tiny.py records: token ids, and the numbers PyTorch computed from them.

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace lathe::test {

inline std::vector<std::vector<int32_t>> read_token_lines(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  std::vector<std::vector<int32_t>> sequences;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::vector<int32_t> ids;
    for (int32_t id = 0; words >> id;) ids.push_back(id);
    if (!ids.empty()) sequences.push_back(std::move(ids));
  }
  return sequences;
}

/// Blocks of "sequence INDEX LENGTH" followed by lines of a key and numbers; rows of the same key follow each other.
struct ReferenceSequence {
  size_t length = 0;
  std::map<std::string, std::vector<float>> numbers;
};

inline std::vector<ReferenceSequence> read_reference(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  std::vector<ReferenceSequence> sequences;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string key;
    words >> key;
    if (key == "sequence") {
      size_t index = 0;
      sequences.emplace_back();
      words >> index >> sequences.back().length;
      continue;
    }
    for (float number = 0; words >> number;) sequences.at(sequences.size() - 1).numbers[key].push_back(number);
  }
  return sequences;
}

}  // namespace lathe::test
