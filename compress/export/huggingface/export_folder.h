#pragma once
// An artifact as a model folder that Hugging Face's libraries load.

#include <filesystem>
#include <string>
#include <vector>

#include "formats/artifact/artifact.h"

namespace lathe {

struct FolderExport {
  uint64_t bytes = 0;    // of all files
  uint64_t tensors = 0;  // that come from the artifact
  std::vector<std::string> files;
  std::vector<std::string> notes;  // what the reader of the folder should know, one sentence each
};

/// Writes into `output`, a folder that is made: model.safetensors with the weights as the artifact decodes them, in f32
/// and under their names in `model`; config.json of `model` with that type; and the files of tokenizer and
/// sentence-transformers that `model` has. `model` is the folder that the artifact was made of. Tensors of it that the
/// artifact has no use for are copied. Throws Error{unsupported} naming a weight that the folder does not have or has
/// in another shape, as of a student; Error{malformed} for a damaged artifact; Error{cannot_create, io}.
FolderExport export_folder(const Artifact& artifact, const std::filesystem::path& model,
                           const std::filesystem::path& output);

/// The files that export_folder() writes into `output` for that model folder.
std::vector<std::filesystem::path> folder_export_files(const std::filesystem::path& model,
                                                       const std::filesystem::path& output);

}  // namespace lathe
