#pragma once
// Writes weights that lie on a grid into the planes of their encoding.

#include <string>
#include <vector>

#include "compress/methods/grid.h"
#include "formats/artifact/encoding.h"

namespace lathe {

/// Every value must be one that the grid holds there, as Grid::snap returns it: then decode() of the result gives back
/// `values`, bit for bit. With a bitmask only the values other than zero are stored.
EncodedBuffer encode(const Matrix& values, const Grid& grid, const Encoding& encoding);

/// A norm or bias of rank 1, in f16 where that is asked for and every value fits, otherwise in f32.
EncodedBuffer encode_vector(const std::vector<float>& values, const Encoding& encoding);

}  // namespace lathe
