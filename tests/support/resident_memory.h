#pragma once
// How much of the files that are mapped is in memory.

#include <cstdint>
#include <fstream>
#include <string>

namespace lathe::test {

/// Resident memory of this process that belongs to files, from the system's own book-keeping.
inline uint64_t resident_file_kilobytes() {
  std::ifstream status("/proc/self/status");
  std::string word;
  uint64_t total = 0;
  while (status >> word) {
    uint64_t value = 0;
    if (word != "RssFile:" && word != "RssShmem:") continue;
    status >> value;
    total += value;
  }
  return total;
}

}  // namespace lathe::test
