#include "formats/artifact/bytes.h"

namespace lathe {

Bytes ByteReader::take(uint64_t size, std::string_view field) {
  if (!contains(bytes_.size(), offset_, size)) {
    fail(Errc::malformed, message(file_, ": field ", field, " at offset ", offset_, " needs ", size, " bytes, only ",
                                  remaining(), " are left"));
  }
  const Bytes taken = bytes_.subspan(offset_, size);
  offset_ += size;
  return taken;
}

std::string ByteReader::read_string(std::string_view field, uint32_t limit) {
  const auto size = read<uint32_t>(field);
  if (size > limit) {
    fail(Errc::malformed,
         message(file_, ": field ", field, " at offset ", offset_, " is ", size, " bytes long, the limit is ", limit));
  }
  const Bytes text = take(size, field);
  return std::string(reinterpret_cast<const char*>(text.data()), text.size());
}

uint32_t ByteReader::read_count(std::string_view field, uint64_t min_record_bytes) {
  const auto count = read<uint32_t>(field);
  if (count > remaining() / min_record_bytes) {
    fail(Errc::malformed, message(file_, ": field ", field, " counts ", count, " records of at least ",
                                  min_record_bytes, " bytes, only ", remaining(), " bytes are left"));
  }
  return count;
}

}  // namespace lathe
