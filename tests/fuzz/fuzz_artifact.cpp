// The artifact reader on arbitrary bytes. Checksums are made right first, since no fuzzer guesses them: what is left
// to find are the sizes, offsets and indices behind them.

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "formats/artifact/artifact.h"
#include "formats/artifact/checksum.h"

namespace {

using lathe::layout::Header;

// A header in front of the input whose first 4 bytes say how much of the rest is the index.
std::vector<std::byte> with_header(std::span<const std::byte> input) {
  uint32_t index_bytes = 0;
  std::memcpy(&index_bytes, input.data(), sizeof index_bytes);
  input = input.subspan(sizeof index_bytes);
  Header header{};
  header.magic = lathe::layout::kMagic;
  header.version = lathe::layout::kVersion;
  header.header_bytes = sizeof header;
  header.file_bytes = sizeof header + input.size();
  header.index_bytes = std::min<uint64_t>(index_bytes, input.size());
  header.index_offset = header.file_bytes - header.index_bytes;
  header.index_checksum = lathe::checksum(input.last(header.index_bytes));
  std::vector<std::byte> file(header.file_bytes);
  std::memcpy(file.data(), &header, sizeof header);
  header.header_checksum = lathe::checksum(std::span(file).first(offsetof(Header, header_checksum)));
  std::memcpy(file.data(), &header, sizeof header);
  std::copy(input.begin(), input.end(), file.begin() + sizeof header);
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < sizeof(uint32_t)) return 0;
  const std::vector<std::byte> file = with_header(std::as_bytes(std::span(data, size)));
  const int fd = ::memfd_create("artifact", 0);
  if (fd < 0 || ::write(fd, file.data(), file.size()) != static_cast<ssize_t>(file.size())) return 0;
  try {
    const lathe::Artifact artifact = lathe::Artifact::open("/proc/self/fd/" + std::to_string(fd));
    artifact.verify();
    for (const lathe::StoredTensor& stored : artifact.tensors()) {
      if (stored.tensor.bytes() < 100'000) lathe::decode(stored.tensor);
    }
  } catch (const lathe::Error&) {
  }
  ::close(fd);
  return 0;
}
