#pragma once
// The checksum of every plane and section.

#include "formats/artifact/bytes.h"

namespace lathe {

/// XXH3, 64 bits, seed 0.
uint64_t checksum(Bytes bytes) noexcept;
/// XXH3, 128 bits, as 32 hexadecimal digits: names a source file in the provenance.
std::string content_hash(Bytes bytes);

}  // namespace lathe
