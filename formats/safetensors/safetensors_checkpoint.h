#pragma once
// Checkpoints stored as safetensors: one file, or several that an index names.

#include <filesystem>
#include <memory>

#include "formats/checkpoint.h"

namespace lathe {

/// One .safetensors file. Errors as parse_safetensors and MappedFile.
std::unique_ptr<Checkpoint> open_safetensors(const std::filesystem::path& file);

/// The index of a sharded checkpoint; its shards are looked up beside it. Throws Error{no_input} naming a shard that is
/// missing, Error{malformed} when index and shards contradict each other. A tensor that the index does not list is left
/// out with a warning, as is a wrong total size.
std::unique_ptr<Checkpoint> open_sharded_safetensors(const std::filesystem::path& index);

}  // namespace lathe
