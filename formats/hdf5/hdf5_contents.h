#pragma once
// What an HDF5 file holds, as the worker has written it down. Everything is checked again.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "formats/artifact/mapped_file.h"
#include "formats/safetensors/safetensors.h"

namespace lathe {

/// Everything but the values. Paths inside the file have no slash in front.
struct Hdf5Description {
  std::string path;          // of the HDF5 file
  SafetensorsHeader header;  // of the safetensors file with the values; its entries are named by their paths
  /// Group -> attribute -> texts.
  std::map<std::string, std::map<std::string, std::vector<std::string>>> attributes;
  std::map<std::string, std::string> ignored;  // path -> what it is instead of a tensor
};

struct Hdf5Contents {
  MappedFile values;  // a safetensors file without a name
  uint64_t file_bytes = 0;
  Hdf5Description description;
};

/// Runs the worker. Throws Error{no_input} when the file is absent, Error{malformed} without the signature of HDF5, and
/// the errors of run_hdf5_worker and parse_hdf5_description.
Hdf5Contents read_hdf5(const std::filesystem::path& path);

/// What read_hdf5 does with the worker's output, which is as untrusted as the file. Throws the errors of
/// parse_safetensors and parse_json, naming `path`.
Hdf5Description parse_hdf5_description(Bytes output, const std::string& path);

/// Whether the signature of HDF5 stands where it may: at 0, 512, 1024, 2048 and so on.
bool has_hdf5_signature(const std::filesystem::path& path);

}  // namespace lathe
