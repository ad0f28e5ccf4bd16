#pragma once
// The fixed structures of an artifact file. docs/artifact-format.md says what every byte means; change both together.

#include <array>
#include <cstdint>

namespace lathe::layout {

inline constexpr std::array<uint8_t, 8> kMagic = {'L', 'A', 'T', 'H', 'E', 0x1a, '\r', '\n'};
inline constexpr uint32_t kVersion = 1;
inline constexpr uint64_t kPlaneAlignment = 64;

struct Header {
  std::array<uint8_t, 8> magic;
  uint32_t version;
  uint32_t header_bytes;  // sizeof(Header)
  uint64_t file_bytes;    // of the whole file
  uint64_t index_offset;  // where the index begins; it ends the file
  uint64_t index_bytes;
  uint64_t index_checksum;
  uint64_t reserved;         // 0
  uint64_t header_checksum;  // of the 56 bytes before this field
};
static_assert(sizeof(Header) == 64);

// Sections of the index, each at most once. The numbers never change, they only grow.
enum class Section : uint32_t { program = 1, tokenizer = 2, task = 3, recipe = 4, provenance = 5, results = 6 };

inline constexpr uint32_t kMaxTensors = 1'000'000;
inline constexpr uint32_t kMaxNameBytes = 512;
inline constexpr uint64_t kMaxIndexBytes = 1'000'000'000;

}  // namespace lathe::layout
