#pragma once
// Checkpoints in several files that an index names, whatever the format of the files.

#include <filesystem>
#include <memory>
#include <string_view>

#include "formats/checkpoint.h"

namespace lathe {

/// A checkpoint that is one file, alone or as a shard of a larger one.
class ShardFile : public Checkpoint {
 public:
  /// How many bytes the file spends on the tensor, which must be one of names(); 0 where it shares those of another
  /// one.
  virtual uint64_t stored_bytes(std::string_view name) const = 0;
};

using OpenShard = std::unique_ptr<ShardFile> (*)(const std::filesystem::path& file);

/// Opens the index of a sharded checkpoint; its shards are looked up beside it and opened with `open_shard`. Throws
/// Error{no_input} naming a shard that is missing, Error{malformed} when index and shards contradict each other, and
/// the errors of the shards. A tensor that the index does not list is left out with a warning; a wrong total size is
/// one.
std::unique_ptr<Checkpoint> open_sharded(const std::filesystem::path& index, OpenShard open_shard);

}  // namespace lathe
