#pragma once
// Under which names the datasets of an HDF5 file are known, and which of them are stored the other way round.

#include <string>
#include <vector>

#include "formats/hdf5/hdf5_contents.h"

namespace lathe {

struct Hdf5Tensor {
  std::string name;
  const SafetensorsEntry* entry = nullptr;  // of the description
  bool is_kernel = false;                   // Keras's [..., inputs, outputs], wanted as [outputs, inputs, ...]
};

struct Hdf5Names {
  std::vector<Hdf5Tensor> tensors;    // sorted by name, which is unique
  std::vector<std::string> warnings;  // one sentence each, of what is left out
};

/// Reads attributes as data only; docs/hdf5.md has the rules. Throws Error{malformed} when two datasets come to the
/// same name or the attributes of a Keras file name what is not there, Error{unsupported} for a model with code in it
/// (a Lambda layer) or a listed weight that is no tensor.
Hdf5Names name_tensors(const Hdf5Description& file);

/// The name of the weight `weight` ("dense/kernel:0") of a layer in a file of Keras before version 3.
std::string keras_weight_name(std::string_view layer, std::string_view weight);

}  // namespace lathe
