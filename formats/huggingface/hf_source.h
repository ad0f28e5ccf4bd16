#pragma once
// A model folder in the layout of Hugging Face as a source: config.json, weights, tokenizer.

#include <filesystem>
#include <memory>

#include "formats/source.h"

namespace lathe {

/// Every folder: what a folder lacks is named when it is read.
bool is_hf_source(const std::filesystem::path& path);
/// Throws the errors of ConfigFile. Tensors and tokenizer are read when they are asked for.
std::unique_ptr<Source> open_hf_source(const std::filesystem::path& path, ConfigOptions options);

}  // namespace lathe
