#pragma once
// The two jobs of the worker. Both take descriptors that the parent has opened; docs/decisions/0014 says why.

namespace lathe::hdf5 {

inline constexpr int kInput = 0;
inline constexpr int kOutput = 1;
inline constexpr int kReport = 2;

/// Reads the HDF5 file kInput and writes its datasets as one safetensors file to kOutput, which is empty. Tensors are
/// named by their paths. Metadata `hdf5` is a JSON object: attributes (group -> attribute -> texts) and ignored (path
/// -> what it is).
void read_file();

/// Reads the safetensors file kInput and writes its tensors, all f32, as one HDF5 file to kOutput. Metadata `hdf5` is a
/// JSON object of attributes: those of the file under "", those of datasets under their names.
void write_file();

}  // namespace lathe::hdf5
