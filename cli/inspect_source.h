#pragma once
// What the files of a model that was not compressed hold, for compress inspect.

#include <filesystem>
#include <string>
#include <vector>

#include "formats/checkpoint.h"
#include "formats/json.h"

namespace lathe::cli {

struct SourceTensor {
  std::string name;
  std::string type;  // as its format calls it
  Shape shape;
  uint64_t bytes = 0;
};

struct SourceListing {
  std::string path;
  std::vector<SourceFile> files;
  std::vector<SourceTensor> tensors;  // sorted by name
  std::vector<std::string> warnings;
};

/// A path that is a folder, or a file that is no artifact. A file named .lathe is one, whatever it holds.
bool is_source(const std::filesystem::path& path);

/// Opens a GGUF file, or anything that open_checkpoint reads. A tensor of a type that cannot be read is listed with a
/// warning. Throws the errors of the format.
SourceListing list_source(const std::filesystem::path& path);

Json source_json(const SourceListing& listing);
std::string source_text(const SourceListing& listing);

}  // namespace lathe::cli
