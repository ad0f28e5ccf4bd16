#pragma once
// One dataset: judged before its values are touched, and read in pieces of bounded size.

#include <functional>
#include <string>

#include "formats/hdf5/worker/element_type.h"

namespace lathe::hdf5 {

struct DatasetFacts {
  DType dtype = DType::f32;
  Shape shape;
  std::string ignored;  // as in ElementType; then nothing else is known
};

/// Throws Error{malformed} naming the dataset when its values lie outside the file, are not stored, or could not come
/// from as many bytes as are stored; Error{unsupported} for virtual datasets, unknown filters and types; Error{limit}
/// when its pieces need more memory than this process may have. `file_bytes` is the size of the whole file.
DatasetFacts examine_dataset(hid_t dataset, const std::string& what, uint64_t file_bytes);

/// Receives values that belong at `offset` bytes from the beginning of the tensor.
using PieceSink = std::function<void(uint64_t offset, Bytes bytes)>;

/// Gives the sink every value of the dataset once, row-major, little-endian. Throws Error{malformed} when the library
/// cannot read them.
void read_dataset(hid_t dataset, const std::string& what, const PieceSink& sink);

}  // namespace lathe::hdf5
