#pragma once
// HDF5 files of weights: plain ones, Keras 3's .weights.h5, and Keras's older .h5 with the files that transformers
// wrote for TensorFlow (docs/hdf5.md).

#include <filesystem>
#include <memory>

#include "formats/checkpoint.h"

namespace lathe {

/// By its first bytes, or by a name that ends in .h5 or .hdf5.
bool is_hdf5(const std::filesystem::path& file);

/// Reads the whole file once into a temporary file without a name ($TMPDIR, else /var/tmp). Throws the errors of
/// read_hdf5 and name_tensors, and Error{unsupported} when the file holds no tensors.
std::unique_ptr<Checkpoint> open_hdf5(const std::filesystem::path& file);

}  // namespace lathe
