#pragma once
// The weights of an artifact as an HDF5 file.

#include <filesystem>
#include <string>
#include <vector>

#include "formats/artifact/artifact.h"

namespace lathe {

struct Hdf5Export {
  uint64_t bytes = 0;
  uint64_t tensors = 0;
  std::vector<std::string> notes;  // what the reader of the file should know, one sentence each
};

/// Writes each weight as the artifact decodes it, in f32, as one dataset under its name; the two factors of a low-rank
/// layer as their product under the name of the layer's weight. Each dataset has the attribute `encoding`; the file has
/// those of the task section. Throws Error{malformed} for a damaged artifact, and the errors of write_hdf5.
Hdf5Export export_hdf5(const Artifact& artifact, const std::filesystem::path& output);

}  // namespace lathe
