#include "formats/pytorch/zip_member.h"

#include <zlib.h>

#include <algorithm>

#include "formats/text.h"

namespace lathe {
namespace {

std::string subject_of(const ZipMember& member, std::string_view path) {
  return message(path, ": member ", printable(member.name));
}

/// A stream of zlib's that is ended whatever happens.
class Inflater {
 public:
  Inflater() {
    if (::inflateInit2(&stream_, -MAX_WBITS) != Z_OK) throw std::bad_alloc();  // its only reason to fail
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { ::inflateEnd(&stream_); }

  /// At most 64 MiB each, so that the counters of zlib hold them.
  int run(Bytes in, std::span<std::byte> out) {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(out.size());
    return ::inflate(&stream_, Z_FINISH);
  }
  uint64_t unread() const { return stream_.avail_in; }
  uint64_t written() const { return stream_.total_out; }

 private:
  z_stream stream_{};
};

}  // namespace

Bytes stored_data(const ZipMember& member, Bytes file) { return file.subspan(member.begin, member.stored_bytes); }

void inflate_member(const ZipMember& member, Bytes file, std::string_view path, std::span<std::byte> out) {
  const Bytes in = stored_data(member, file);
  // What is larger than any compression of `out` needs no look: deflate adds at most 5 bytes to each 16 KiB.
  if (in.size() > out.size() + out.size() / 1024 + 1024) {
    fail(Errc::malformed, message(subject_of(member, path), " has ", in.size(), " compressed bytes for ", out.size()));
  }
  Inflater inflater;
  std::byte nothing{};  // zlib wants an address
  const int status = inflater.run(in, out.empty() ? std::span(&nothing, 0) : out);
  if (status == Z_STREAM_END && inflater.written() == out.size() && inflater.unread() == 0) return;
  if (status == Z_STREAM_END || (status == Z_BUF_ERROR && inflater.written() == out.size())) {
    fail(Errc::malformed,
         message(subject_of(member, path), " does not decompress to the ", out.size(), " bytes that the directory says",
                 " (", inflater.written(), " written, ", inflater.unread(), " compressed bytes left)"));
  }
  fail(Errc::malformed, message(subject_of(member, path), " is not valid deflate data after ", inflater.written(),
                                " of ", out.size(), " bytes"));
}

void check_crc(const ZipMember& member, Bytes data, std::string_view path, const std::function<void(Bytes)>& done) {
  if (member.crc == 0) return;
  constexpr size_t kWindow = size_t{4} << 20;
  uLong crc = ::crc32(0, nullptr, 0);
  for (Bytes rest = data; !rest.empty();) {
    const Bytes window = rest.first(std::min(kWindow, rest.size()));
    crc = ::crc32(crc, reinterpret_cast<const Bytef*>(window.data()), static_cast<uInt>(window.size()));
    if (done) done(window);
    rest = rest.subspan(window.size());
  }
  if (crc == member.crc) return;
  fail(Errc::malformed, message(subject_of(member, path), " has the CRC-32 ", static_cast<uint64_t>(crc), ", expected ",
                                member.crc, ": the data is damaged"));
}

}  // namespace lathe
