#pragma once
// Writes safetensors files, for models that were trained and for the state of a training run.

#include <filesystem>
#include <map>
#include <string>

#include "formats/artifact/tensor.h"

namespace lathe {

/// Writes the file through AtomicFile: `path` holds either what it held before or the whole file. The same input gives
/// the same bytes: metadata first, sorted by key; tensors with the widest elements first and then by name, so that
/// each starts at a multiple of its element's size; the header is padded with spaces to a multiple of 8 bytes. Without
/// metadata the file says nothing of it. Throws Error{malformed, limit} for a name that the reader would refuse,
/// Error{malformed} for metadata or a name that is not UTF-8, Error{internal} when a view's bytes do not match its type
/// and shape, and AtomicFile's errors.
void write_safetensors(const std::filesystem::path& path, const std::map<std::string, TensorView>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace lathe
