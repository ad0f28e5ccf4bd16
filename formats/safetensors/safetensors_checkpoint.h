#pragma once
// Checkpoints stored as safetensors.

#include <filesystem>
#include <memory>

#include "formats/sharded_checkpoint.h"

namespace lathe {

/// One .safetensors file. Errors as parse_safetensors and MappedFile.
std::unique_ptr<ShardFile> open_safetensors(const std::filesystem::path& file);

}  // namespace lathe
