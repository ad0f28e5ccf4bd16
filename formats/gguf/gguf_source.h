#pragma once
// A GGUF file as a source, or a folder that holds one and no config.json.

#include <filesystem>
#include <memory>

#include "formats/source.h"

namespace lathe {

/// A file that begins as GGUF files do; a folder with files that end in .gguf and without a config.json.
bool is_gguf_source(const std::filesystem::path& path);
/// The GGUF file of such a path. Throws Error{usage} naming the files when a folder holds several.
std::filesystem::path gguf_file_of(const std::filesystem::path& path);
/// Throws the errors of gguf_file_of and open_gguf_model.
std::unique_ptr<Source> open_gguf_source(const std::filesystem::path& path, ConfigOptions options);

}  // namespace lathe
