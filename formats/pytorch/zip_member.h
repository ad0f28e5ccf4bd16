#pragma once
// The data of one member of a zip archive, through zlib.

#include <functional>

#include "formats/pytorch/zip_directory.h"

namespace lathe {

/// The member's bytes as they stand in the file, compressed or not.
Bytes stored_data(const ZipMember& member, Bytes file);

/// Fills `out`, which has member.bytes, from a deflated member. Throws Error{malformed} when the data is not what the
/// format demands, or holds more or fewer bytes than the directory says.
void inflate_member(const ZipMember& member, Bytes file, std::string_view path, std::span<std::byte> out);

/// Throws Error{malformed} unless `data`, the member once decompressed, has the checksum that the directory has for it.
/// A member whose checksum was not computed passes. `done`, where there is one, is called with each piece that has been
/// read.
void check_crc(const ZipMember& member, Bytes data, std::string_view path, const std::function<void(Bytes)>& done = {});

}  // namespace lathe
