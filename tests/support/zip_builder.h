#pragma once
// Makes zip archives for tests, good ones member by member and bad ones by lying about a part. Independent of the
// reader.

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::test {

template <class T>
std::string little_endian(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

inline uint32_t crc32_of(std::string_view data) {
  uint32_t crc = ~uint32_t{0};
  for (const char c : data) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xedb88320u : 0);
  }
  return ~crc;
}

/// Data of the method deflate that is not compressed: blocks of at most 65,535 bytes.
inline std::string deflate_stored(std::string_view data) {
  std::string out;
  do {
    const auto size = static_cast<uint16_t>(data.size() < 0xffff ? data.size() : 0xffff);
    out += size == data.size() ? '\1' : '\0';
    out += little_endian(size) + little_endian(static_cast<uint16_t>(~size));
    out += data.substr(0, size);
    data.remove_prefix(size);
  } while (!data.empty());
  return out;
}

/// 1 + 258 * `runs` zeros in 13 bits for each run: one block of fixed codes.
inline std::string deflate_zeros(uint64_t runs) {
  std::string out;
  uint32_t held = 0;
  int bits = 0;
  const auto put = [&](uint32_t code, int length) {  // the first bit of a code first
    for (int i = length - 1; i >= 0; --i) {
      held |= (code >> i & 1) << bits;
      if (++bits == 8) {
        out += static_cast<char>(held);
        held = 0;
        bits = 0;
      }
    }
  };
  put(0b110, 3);       // the last block, of fixed codes (lowest bit first: 1, then 1 and 0)
  put(0b00110000, 8);  // the literal 0
  for (uint64_t i = 0; i < runs; ++i) put(0b11000101'00000, 13);  // 258 times the byte before
  put(0, 7);                                                      // the end of the block
  if (bits > 0) put(0, 8 - bits);
  return out;
}

/// What is not set follows from the data.
struct ZipPart {
  std::string name;
  std::string data;  // as it stands in the file
  uint16_t method = 0;
  uint16_t flags = 0x0808;        // as torch.save has it: sizes follow the data, and the name is UTF-8
  std::optional<uint64_t> bytes;  // once decompressed
  std::optional<uint64_t> stored_bytes;
  std::optional<uint32_t> crc;
  std::optional<std::string> local_name;
  std::optional<uint16_t> local_method;
  std::optional<uint64_t> header;  // where the directory says that the local header is
  bool is_wide = false;            // sizes and place stand in a zip64 field
  std::string extra;               // after it
};

class ZipBuilder {
 public:
  std::string prefix;   // before the archive, which does not know of it
  std::string comment;  // after it
  bool has_zip64 = true;
  std::optional<uint64_t> member_count, directory_begin, directory_bytes, end64_place, end64_bytes;
  uint32_t disks = 1;

  ZipPart& add(std::string name, std::string data) {
    ZipPart& part = parts.emplace_back();
    part.name = std::move(name);
    part.data = std::move(data);
    return part;
  }
  ZipPart& add_deflated(std::string name, std::string_view data) {
    ZipPart& part = add(std::move(name), deflate_stored(data));
    part.method = 8;
    part.bytes = data.size();
    part.crc = crc32_of(data);
    return part;
  }
  ZipPart* find(std::string_view name) {
    for (ZipPart& part : parts) {
      if (part.name == name) return &part;
    }
    return nullptr;
  }

  std::string build() const {
    std::string file, directory;
    for (const ZipPart& part : parts) {
      directory += central_header(part, file.size());
      file += local_header(part) + part.data;
    }
    const uint64_t begin = directory_begin.value_or(file.size());
    const uint64_t size = directory_bytes.value_or(directory.size());
    const uint64_t count = member_count.value_or(parts.size());
    file += directory;
    if (has_zip64) file += end64(file.size(), count, size, begin);
    file += "PK\5\6" + std::string(4, '\0') + little_endian(static_cast<uint16_t>(count)) +
            little_endian(static_cast<uint16_t>(count)) + little_endian(static_cast<uint32_t>(size)) +
            little_endian(static_cast<uint32_t>(begin)) + little_endian(static_cast<uint16_t>(comment.size()));
    return prefix + file + comment;
  }

  std::vector<ZipPart> parts;

 private:
  static std::string local_header(const ZipPart& part) {
    const std::string& name = part.local_name ? *part.local_name : part.name;
    return "PK\3\4" + std::string(2, '\0') + little_endian(part.flags) +
           little_endian(part.local_method.value_or(part.method)) + std::string(16, '\0') +
           little_endian(static_cast<uint16_t>(name.size())) + std::string(2, '\0') + name;
  }

  static std::string central_header(const ZipPart& part, uint64_t at) {
    const uint64_t bytes = part.bytes.value_or(part.data.size());
    const uint64_t stored = part.stored_bytes.value_or(part.data.size());
    const uint64_t header = part.header.value_or(at);
    std::string extra;
    if (part.is_wide) {
      extra = little_endian(uint16_t{1}) + little_endian(uint16_t{24}) + little_endian(bytes) + little_endian(stored) +
              little_endian(header);
    }
    extra += part.extra;
    const auto narrow = [&](uint64_t value) {
      return little_endian(part.is_wide ? ~uint32_t{0} : static_cast<uint32_t>(value));
    };
    return "PK\1\2" + std::string(4, '\0') + little_endian(part.flags) + little_endian(part.method) +
           std::string(4, '\0') + little_endian(part.crc.value_or(crc32_of(part.data))) + narrow(stored) +
           narrow(bytes) + little_endian(static_cast<uint16_t>(part.name.size())) +
           little_endian(static_cast<uint16_t>(extra.size())) + std::string(10, '\0') + narrow(header) + part.name +
           extra;
  }

  std::string end64(uint64_t at, uint64_t count, uint64_t size, uint64_t begin) const {
    return "PK\6\6" + little_endian(end64_bytes.value_or(44)) + std::string(12, '\0') + little_endian(count) +
           little_endian(count) + little_endian(size) + little_endian(begin) + "PK\6\7" + std::string(4, '\0') +
           little_endian(end64_place.value_or(at)) + little_endian(disks);
  }
};

}  // namespace lathe::test
