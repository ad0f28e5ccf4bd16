#pragma once
// Writes HDF5 files of f32 tensors, row by row, so that memory holds one row of a tensor at a time.

#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "formats/artifact/tensor.h"

namespace lathe {

using Hdf5Sink = std::function<void(std::span<const float> values)>;

struct Hdf5Output {
  std::string name;
  Shape shape;
  std::map<std::string, std::string> attributes;
  /// Gives the sink every value of the tensor, in order. Called once.
  std::function<void(const Hdf5Sink& sink)> write;
};

/// One dataset of the root for each tensor, without compression; attributes are UTF-8 texts. Tensors and file pass
/// through temporary files ($TMPDIR, else /var/tmp) and the worker; then AtomicFile: `path` holds either what it held
/// before or the whole file, whose bytes follow from the arguments and the version of libhdf5. Returns the size of the
/// file. Throws Error{unsupported} without the worker or for a name with a slash, Error{malformed, limit} for names and
/// texts that the reader would refuse, Error{limit} for an attribute beyond kMaxHdf5Attribute, Error{internal} when a
/// tensor's values are not those of its shape, and the errors of AtomicFile.
uint64_t write_hdf5(const std::filesystem::path& path, const std::vector<Hdf5Output>& tensors,
                    const std::map<std::string, std::string>& attributes);

/// An attribute lies in the header of its object, which has less than 64 KiB.
inline constexpr size_t kMaxHdf5Attribute = 32'000;

}  // namespace lathe
