#pragma once
// The checksum of every plane and section.

#include "formats/artifact/mapped_file.h"

namespace lathe {

/// XXH3, 64 bits, seed 0.
uint64_t checksum(Bytes bytes) noexcept;
/// XXH3, 128 bits, of a whole file as 32 hexadecimal digits: names a source in the provenance. Pages that have been
/// read are released, so that a large file does not become resident.
std::string content_hash(const MappedFile& file);
/// The checksum of bytes in memory.
std::string content_hash(Bytes bytes);

}  // namespace lathe
