#pragma once
// The directory of a zip archive (APPNOTE.TXT of PKWARE, 6.3). Names, sizes and places come from the central directory
// alone; what the headers beside the data say has to agree with it. Stricter than the format: nothing may stand before
// the first member, members may not overlap, and a name may not appear twice.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/artifact/bytes.h"

namespace lathe {

struct ZipMember {
  std::string name;
  uint64_t header = 0;  // where its local header begins in the file
  uint64_t begin = 0;   // where its data begins
  uint64_t stored_bytes = 0;
  uint64_t bytes = 0;        // once decompressed
  uint32_t crc = 0;          // 0: the writer did not compute it
  bool is_deflated = false;  // otherwise stored as it is
};

struct ZipDirectory {
  std::vector<ZipMember> members;  // sorted by name, which is unique

  /// nullptr when there is no such member.
  const ZipMember* find(std::string_view name) const;
};

inline constexpr uint64_t kMaxZipMembers = 1'000'000;
inline constexpr uint64_t kMaxDeflatedBytes = uint64_t{64} << 20;

/// `file` is the whole file, `path` its name for messages. Every member's data lies inside the file. Throws
/// Error{malformed}; Error{unsupported} for encryption, archives in several parts, and methods other than stored and
/// deflated; Error{limit} beyond kMaxZipMembers and for a deflated member of more than kMaxDeflatedBytes.
ZipDirectory read_zip_directory(Bytes file, std::string_view path);

}  // namespace lathe
