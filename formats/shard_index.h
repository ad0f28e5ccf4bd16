#pragma once
// The index of a sharded checkpoint (model.safetensors.index.json, pytorch_model.bin.index.json): which tensor is in
// which file.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lathe {

struct ShardIndex {
  struct Tensor {
    std::string name;
    size_t shard = 0;  // into shards
  };
  std::vector<std::string> shards;  // bare file names, sorted
  std::vector<Tensor> tensors;      // sorted by name, which is unique
  std::optional<uint64_t> total_size;
};

inline constexpr size_t kMaxShards = 10'000;

/// Throws Error{malformed} for JSON of another structure or a shard name that is not a bare file name (so that an index
/// cannot point outside its folder), Error{limit} beyond kMaxShards or kMaxTensors.
ShardIndex parse_shard_index(std::string_view text, std::string_view path);
ShardIndex read_shard_index(const std::filesystem::path& path);

}  // namespace lathe
