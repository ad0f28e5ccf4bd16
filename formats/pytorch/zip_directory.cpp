#include "formats/pytorch/zip_directory.h"

#include <algorithm>
#include <optional>

#include "formats/text.h"

namespace lathe {
namespace {

// A kind of record: its signature, and the size of its fixed part.
struct RecordKind {
  uint32_t signature;
  uint64_t bytes;
  const char* name;
};
constexpr RecordKind kLocalHeader = {0x04034b50, 30, "local header"};
constexpr RecordKind kCentralHeader = {0x02014b50, 46, "central directory record"};
constexpr RecordKind kEnd = {0x06054b50, 22, "end of central directory record"};
constexpr RecordKind kEnd64 = {0x06064b50, 56, "zip64 end of central directory record"};
constexpr RecordKind kLocator64 = {0x07064b50, 20, "zip64 locator"};

constexpr uint64_t kMaxComment = 0xffff;
constexpr uint16_t kElsewhere16 = 0xffff;      // a field whose value stands in a zip64 record
constexpr uint32_t kElsewhere32 = 0xffffffff;  // likewise
constexpr uint16_t kZip64Extra = 1;
constexpr uint16_t kStored = 0, kDeflated = 8;
constexpr uint16_t kEncryptedFlags = 0x0001 | 0x0040 | 0x2000;  // traditional, strong, of the directory

/// Where the central directory is and how much it holds.
struct DirectoryPlace {
  uint64_t members = 0;
  uint64_t bytes = 0;
  uint64_t begin = 0;
};

class ZipReader {
 public:
  ZipReader(Bytes file, std::string_view path) : file_(file), path_(path) {}

  ZipDirectory run() {
    const uint64_t end = find_end();
    place_ = read_place(end);
    read_members();
    for (ZipMember& member : directory_.members) place_data(member);
    check_layout();
    sort_by_name();
    return std::move(directory_);
  }

 private:
  [[noreturn]] void fail_at(const std::string& text, uint64_t at, Errc code = Errc::malformed) const {
    fail(code, message(path_, ": ", text, " (byte ", at, ")"));
  }

  template <class T>
  T load(uint64_t at) const {
    return load_le<T>(file_.data() + at);
  }

  bool is_at(const RecordKind& kind, uint64_t at) const {
    return contains(file_.size(), at, kind.bytes) && load<uint32_t>(at) == kind.signature;
  }

  void require_record(const RecordKind& kind, uint64_t at, std::string_view subject) const {
    if (!contains(file_.size(), at, kind.bytes)) {
      fail_at(message(subject, ": the ", kind.name, " would end behind the file of ", file_.size(), " bytes"), at);
    }
    if (!is_at(kind, at)) fail_at(message(subject, ": expected a ", kind.name), at);
  }

  /// Its comment reaches to the end of the file. Where two places look like that, readers would see two archives.
  uint64_t find_end() const {
    std::optional<uint64_t> found;
    const uint64_t last = file_.size() < kEnd.bytes ? 0 : file_.size() - kEnd.bytes;
    for (uint64_t at = last - std::min(last, kMaxComment); at <= last; ++at) {
      if (!is_at(kEnd, at) || at + kEnd.bytes + load<uint16_t>(at + 20) != file_.size()) continue;
      if (found) fail_at(message("two end of central directory records, the other at byte ", *found), at);
      found = at;
    }
    if (found) return *found;
    fail(Errc::malformed, message(path_, ": ", file_.size(), " bytes without the directory that ends a zip archive: ",
                                  "the file is truncated or not a zip archive"));
  }

  DirectoryPlace read_place(uint64_t end) const {
    if (load<uint16_t>(end + 4) != 0 || load<uint16_t>(end + 6) != 0) {
      fail_at("the archive is in several parts, which is not read", end, Errc::unsupported);
    }
    DirectoryPlace place = {load<uint16_t>(end + 10), load<uint32_t>(end + 12), load<uint32_t>(end + 16)};
    if (load<uint16_t>(end + 8) != place.members) fail_at("the archive has two numbers of members", end);
    uint64_t follows = end;
    if (end >= kLocator64.bytes && is_at(kLocator64, end - kLocator64.bytes)) {
      follows = find_end64(end - kLocator64.bytes);
      place = widened(place, follows);
    }
    if (!contains(follows, place.begin, place.bytes)) {
      fail_at(message("the central directory has ", place.bytes, " bytes from byte ", place.begin,
                      ", expected it to end at byte ", follows),
              end);
    }
    if (const uint64_t before = follows - place.begin - place.bytes; before != 0) {
      fail_at(message("the central directory ends at byte ", place.begin + place.bytes, ", expected ", follows, ": ",
                      before, " bytes stand before the archive or are missing in it"),
              end);
    }
    if (place.members > place.bytes / kCentralHeader.bytes) {
      fail_at(message("the archive counts ", place.members, " members, but its directory of ", place.bytes,
                      " bytes has room for ", place.bytes / kCentralHeader.bytes),
              end);
    }
    if (place.members > kMaxZipMembers) {
      fail_at(message("the archive has ", place.members, " members, the limit is ", kMaxZipMembers), end, Errc::limit);
    }
    return place;
  }

  uint64_t find_end64(uint64_t locator) const {
    const auto at = load<uint64_t>(locator + 8);
    if (!contains(locator, at, kEnd64.bytes) || !is_at(kEnd64, at)) {
      fail_at(message("the zip64 locator points to byte ", at, ", where there is no ", kEnd64.name,
                      ": bytes stand before the archive or are missing in it"),
              locator);
    }
    const auto size = load<uint64_t>(at + 4);  // of what follows this field
    if (size != locator - at - 12) {
      fail_at(message("the ", kEnd64.name, " has ", size, " bytes, expected ", locator - at - 12), at);
    }
    if (load<uint32_t>(locator + 4) != 0 || load<uint32_t>(locator + 16) != 1 || load<uint32_t>(at + 16) != 0 ||
        load<uint32_t>(at + 20) != 0) {
      fail_at("the archive is in several parts, which is not read", locator, Errc::unsupported);
    }
    return at;
  }

  /// The place as the zip64 record has it; what the short record says as well must be the same.
  DirectoryPlace widened(const DirectoryPlace& narrow, uint64_t at) const {
    const DirectoryPlace wide = {load<uint64_t>(at + 32), load<uint64_t>(at + 40), load<uint64_t>(at + 48)};
    const bool agree = (narrow.members == kElsewhere16 || narrow.members == wide.members) &&
                       (narrow.bytes == kElsewhere32 || narrow.bytes == wide.bytes) &&
                       (narrow.begin == kElsewhere32 || narrow.begin == wide.begin);
    if (!agree) fail_at("the zip64 record contradicts the end of central directory record", at);
    return wide;
  }

  void read_members() {
    uint64_t at = place_.begin;
    const uint64_t end = place_.begin + place_.bytes;
    for (uint64_t i = 0; i < place_.members; ++i) {
      const std::string subject = message("member ", i);
      require_record(kCentralHeader, at, subject);
      const uint64_t name_bytes = load<uint16_t>(at + 28), extra_bytes = load<uint16_t>(at + 30);
      const uint64_t bytes = kCentralHeader.bytes + name_bytes + extra_bytes + load<uint16_t>(at + 32);
      if (!contains(end - at, 0, bytes)) {
        fail_at(message(subject, ": its record has ", bytes, " bytes, but the directory ends at byte ", end), at);
      }
      read_member(at, name_bytes, extra_bytes);
      at += bytes;
    }
    if (at != end) fail_at(message(end - at, " bytes follow the last record of the central directory"), at);
  }

  void read_member(uint64_t at, uint64_t name_bytes, uint64_t extra_bytes) {
    ZipMember member;
    member.name.assign(reinterpret_cast<const char*>(file_.data()) + at + kCentralHeader.bytes, name_bytes);
    const std::string subject = subject_of(member);
    const auto flags = load<uint16_t>(at + 8);
    const auto method = load<uint16_t>(at + 10);
    if ((flags & kEncryptedFlags) != 0) fail_at(subject + " is encrypted, which is not read", at, Errc::unsupported);
    if (method != kStored && method != kDeflated) {
      fail_at(message(subject, " is compressed with method ", method, "; read are 0 (stored) and 8 (deflated)"), at,
              Errc::unsupported);
    }
    member.is_deflated = method == kDeflated;
    member.crc = load<uint32_t>(at + 16);
    member.stored_bytes = load<uint32_t>(at + 20);
    member.bytes = load<uint32_t>(at + 24);
    member.header = load<uint32_t>(at + 42);
    const uint64_t extra = at + kCentralHeader.bytes + name_bytes;
    widen(member, load<uint16_t>(at + 34) == kElsewhere16, extra, extra_bytes);
    check_sizes(member, at);
    directory_.members.push_back(std::move(member));
  }

  /// Values that do not fit the record stand in its zip64 field, in a fixed order, those alone.
  void widen(ZipMember& member, bool wide_disk, uint64_t extra, uint64_t extra_bytes) const {
    uint64_t* const fields[] = {&member.bytes, &member.stored_bytes, &member.header};
    uint64_t wanted = wide_disk ? 4 : 0;
    for (const uint64_t* field : fields) wanted += *field == kElsewhere32 ? 8 : 0;
    if (wanted == 0) return;
    const std::string subject = subject_of(member);
    const auto [begin, bytes] = find_extra(extra, extra_bytes, subject);
    if (bytes < wanted) {
      fail_at(message(subject, ": its zip64 field has ", bytes, " bytes, expected ", wanted), extra);
    }
    uint64_t at = begin;
    for (uint64_t* field : fields) {
      if (*field != kElsewhere32) continue;
      *field = load<uint64_t>(at);
      at += 8;
    }
  }

  /// Begin and size of the zip64 field among the extra fields; size 0 where there is none.
  std::pair<uint64_t, uint64_t> find_extra(uint64_t at, uint64_t bytes, const std::string& subject) const {
    const uint64_t end = at + bytes;
    while (end - at >= 4) {
      const uint64_t size = load<uint16_t>(at + 2);
      if (size > end - at - 4) {
        fail_at(message(subject, ": an extra field has ", size, " bytes, but ", end - at - 4, " are left"), at);
      }
      if (load<uint16_t>(at) == kZip64Extra) return {at + 4, size};
      at += 4 + size;
    }
    return {at, 0};
  }

  void check_sizes(const ZipMember& member, uint64_t at) const {
    if (!member.is_deflated && member.stored_bytes != member.bytes) {
      fail_at(
          message(subject_of(member), " is stored with ", member.stored_bytes, " bytes and should have ", member.bytes),
          at);
    }
    if (member.is_deflated && member.bytes > kMaxDeflatedBytes) {
      fail_at(message(subject_of(member), " is compressed and has ", member.bytes, " bytes, the limit is ",
                      kMaxDeflatedBytes, "; an archive without compression has no such limit"),
              at, Errc::limit);
    }
  }

  /// The header beside the data has a name and an extra field of its own; its sizes may be zero.
  void place_data(ZipMember& member) const {
    const std::string subject = subject_of(member);
    if (!contains(place_.begin, member.header, kLocalHeader.bytes)) {
      fail_at(message(subject, ": its local header is at byte ", member.header, ", where the data has ended"),
              place_.begin);
    }
    require_record(kLocalHeader, member.header, subject);
    const uint64_t name_begin = member.header + kLocalHeader.bytes;
    const uint64_t name_bytes = load<uint16_t>(member.header + 26);
    member.begin = name_begin + name_bytes + load<uint16_t>(member.header + 28);
    if (!contains(place_.begin, member.begin, member.stored_bytes)) {
      fail_at(message(subject, " has ", member.stored_bytes, " bytes from byte ", member.begin,
                      ", but the central directory begins at byte ", place_.begin),
              member.header);
    }
    const std::string_view name(reinterpret_cast<const char*>(file_.data()) + name_begin, name_bytes);
    if (name != member.name) {
      fail_at(message(subject, " is called ", printable(name), " in its local header"), member.header);
    }
    const uint16_t method = member.is_deflated ? kDeflated : kStored;
    if (load<uint16_t>(member.header + 8) != method) {
      fail_at(message(subject, " has compression method ", load<uint16_t>(member.header + 8),
                      " in its local header, and ", method, " in the directory"),
              member.header);
    }
  }

  void check_layout() {
    auto& members = directory_.members;
    std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.header < b.header; });
    if (!members.empty() && members.front().header != 0) {
      fail_at(message(members.front().header, " bytes stand before the first member"), 0);
    }
    for (size_t i = 1; i < members.size(); ++i) {
      const ZipMember& before = members[i - 1];
      if (before.begin + before.stored_bytes <= members[i].header) continue;
      fail_at(message(subject_of(members[i]), " overlaps ", subject_of(before), ", which ends at byte ",
                      before.begin + before.stored_bytes),
              members[i].header);
    }
  }

  void sort_by_name() {
    auto& members = directory_.members;
    std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    const auto twice = std::adjacent_find(members.begin(), members.end(),
                                          [](const auto& a, const auto& b) { return a.name == b.name; });
    if (twice != members.end()) {
      fail_at(message(subject_of(*twice), " appears twice"), std::max(twice->header, std::next(twice)->header));
    }
  }

  static std::string subject_of(const ZipMember& member) { return message("member ", printable(member.name)); }

  Bytes file_;
  std::string path_;
  DirectoryPlace place_;
  ZipDirectory directory_;
};

}  // namespace

const ZipMember* ZipDirectory::find(std::string_view name) const {
  const auto found = std::lower_bound(members.begin(), members.end(), name,
                                      [](const ZipMember& member, std::string_view n) { return member.name < n; });
  return found == members.end() || found->name != name ? nullptr : &*found;
}

ZipDirectory read_zip_directory(Bytes file, std::string_view path) { return ZipReader(file, path).run(); }

}  // namespace lathe
