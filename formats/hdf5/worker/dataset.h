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

/// What a file may ask for.
struct Bounds {
  uint64_t file_bytes = 0;   // its size
  uint64_t chunk_bytes = 0;  // of one chunk: the library holds it as it is stored and as it is, and we hold a copy
};
/// Of a file of this size, in the memory that this process may have. To be called before confine().
Bounds bounds_of(uint64_t file_bytes);

/// Throws Error{malformed} naming the dataset when its values lie outside the file, are not stored, or could not come
/// from as many bytes as are stored; Error{unsupported} for virtual datasets, unknown filters and types; Error{limit}
/// for chunks beyond the bound.
DatasetFacts examine_dataset(hid_t dataset, const std::string& what, const Bounds& bounds);

/// Receives values that belong at `offset` bytes from the beginning of the tensor.
using PieceSink = std::function<void(uint64_t offset, Bytes bytes)>;

/// Gives the sink every value of the dataset once, row-major, little-endian. Throws Error{malformed} when the library
/// cannot read them.
void read_dataset(hid_t dataset, const std::string& what, const PieceSink& sink);

}  // namespace lathe::hdf5
