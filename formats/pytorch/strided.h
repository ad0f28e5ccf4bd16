#pragma once
// Tensors that do not lie in their storage as they are wanted: row by row, little-endian.

#include "formats/pytorch/pickle_value.h"

namespace lathe {

/// Whether the elements follow each other in the storage, row by row.
bool is_contiguous(const PickleTensor& tensor) noexcept;

/// Writes the elements row by row, with the bytes of each reversed where asked for. `storage` holds all of them, `out`
/// has room for them; the type has elements of 1, 2, 4 or 8 bytes.
void gather_elements(const PickleTensor& tensor, Bytes storage, bool reverse_bytes, std::byte* out) noexcept;

}  // namespace lathe
