#include "formats/artifact/artifact.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "formats/artifact/checksum.h"
#include "formats/artifact/program_section.h"

namespace lathe {
namespace {

using layout::Header;
using layout::Section;

// The gaps between planes, and what stands after the last one, must be zero, so that no byte escapes verify().
void check_padding(Bytes file, uint64_t begin, uint64_t end, std::vector<std::string>& faults) {
  for (uint64_t at = begin; at < end; ++at) {
    if (file[at] != std::byte{0}) {
      faults.push_back(message("padding byte at offset ", at, " is ", std::to_integer<int>(file[at]), ", must be 0"));
      return;
    }
  }
}

}  // namespace

Artifact Artifact::open(const std::filesystem::path& path) {
  Artifact artifact{MappedFile(path)};
  artifact.read_header();
  artifact.read_index();
  return artifact;
}

void Artifact::read_header() {
  const Bytes bytes = file_.bytes();
  const std::string& path = file_.path();
  if (bytes.size() < sizeof(Header)) {
    fail(Errc::malformed, message(path, ": ", bytes.size(), " bytes, a header takes ", sizeof(Header)));
  }
  header_ = load_le<Header>(bytes.data());
  if (header_.magic != layout::kMagic) fail(Errc::malformed, message(path, ": magic: not a Lathe artifact"));
  if (header_.version != layout::kVersion) {
    fail(Errc::unsupported, message(path, ": version ", header_.version, ", this program reads ", layout::kVersion));
  }
  const uint64_t expected = checksum(bytes.first(offsetof(Header, header_checksum)));
  if (header_.header_checksum != expected) fail(Errc::malformed, message(path, ": header_checksum does not match"));
  if (header_.header_bytes != sizeof(Header) || header_.reserved != 0) {
    fail(Errc::malformed, message(path, ": header_bytes ", header_.header_bytes, " must be ", sizeof(Header),
                                  " and reserved ", header_.reserved, " must be 0"));
  }
  if (header_.file_bytes != bytes.size()) {
    fail(Errc::malformed, message(path, ": file_bytes says ", header_.file_bytes, ", the file has ", bytes.size(),
                                  bytes.size() < header_.file_bytes ? " (truncated)" : ""));
  }
  if (header_.index_bytes > layout::kMaxIndexBytes || header_.index_offset < sizeof(Header) ||
      !contains(bytes.size(), header_.index_offset, header_.index_bytes) ||
      header_.index_offset + header_.index_bytes != bytes.size()) {
    fail(Errc::malformed, message(path, ": index_offset ", header_.index_offset, " + index_bytes ", header_.index_bytes,
                                  " must end the file at ", bytes.size()));
  }
}

StoredTensor Artifact::read_tensor(ByteReader& in) const {
  StoredTensor stored;
  stored.name = in.read_string("tensor name", layout::kMaxNameBytes);
  Encoding& encoding = stored.tensor.encoding;
  encoding.values = static_cast<ValueType>(in.read<uint8_t>("value type"));
  encoding.sparsity = static_cast<Sparsity>(in.read<uint8_t>("sparsity"));
  encoding.group = in.read<uint32_t>("group");
  if (!is_known(encoding)) {
    fail(Errc::unsupported,
         message(file_.path(), ": tensor ", stored.name, ": encoding ", static_cast<int>(encoding.values), "/",
                 static_cast<int>(encoding.sparsity), "/", encoding.group, " is not known to this version"));
  }
  stored.tensor.shape.resize(in.read<uint8_t>("rank"));
  for (uint64_t& dim : stored.tensor.shape) dim = in.read<uint64_t>("dimension");
  for (size_t i = 0; i < kPlanes; ++i) {
    const auto offset = in.read<uint64_t>("plane offset");
    const auto size = in.read<uint64_t>("plane bytes");
    stored.checksums[i] = in.read<uint64_t>("plane checksum");
    const bool placed = offset % layout::kPlaneAlignment == 0 && offset >= sizeof(Header) &&
                        contains(header_.index_offset, offset, size);
    if (size != 0 && !placed) {
      fail(Errc::malformed,
           message(file_.path(), ": tensor ", stored.name, ": plane ", plane_name(static_cast<Plane>(i)), " at ",
                   offset, " of ", size, " bytes is unaligned or not between the header and the index at ",
                   header_.index_offset));
    }
    if (size != 0) stored.tensor.planes[i] = file_.bytes().subspan(offset, size);
  }
  validate(stored.tensor, file_.path() + ": " + stored.name);
  return stored;
}

void Artifact::read_index() {
  const Bytes index = file_.bytes().subspan(header_.index_offset, header_.index_bytes);
  if (checksum(index) != header_.index_checksum) {
    fail(Errc::malformed, message(file_.path(), ": index_checksum does not match"));
  }
  ByteReader in(index, file_.path());
  const uint32_t count = in.read_count("tensor count", 107);
  if (count > layout::kMaxTensors) {
    fail(Errc::limit, message(file_.path(), ": tensor count ", count, ", the limit is ", layout::kMaxTensors));
  }
  tensors_.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    tensors_.push_back(read_tensor(in));
    if (tensors_.size() > 1 && !(tensors_[tensors_.size() - 2].name < tensors_.back().name)) {
      fail(Errc::malformed,
           message(file_.path(), ": tensor ", tensors_.back().name, " is out of order or twice there"));
    }
  }
  const auto sections = in.read_count("section count", 12);
  for (uint32_t i = 0; i < sections; ++i) {
    const auto which = static_cast<Section>(in.read<uint32_t>("section kind"));
    const auto size = in.read<uint64_t>("section bytes");
    const auto is_same = [which](const auto& known) { return known.first == which; };
    if (std::any_of(sections_.begin(), sections_.end(), is_same)) {
      fail(Errc::malformed, message(file_.path(), ": section ", static_cast<uint32_t>(which), " is twice there"));
    }
    sections_.emplace_back(which, in.take(size, "section"));
  }
  if (in.remaining() != 0)
    fail(Errc::malformed, message(file_.path(), ": index: ", in.remaining(), " bytes left over"));
  program_ = decode_program(section(Section::program), file_.path());
  validate(
      program_, [this](const std::string& name) { return tensor(name).tensor.shape; }, file_.path());
}

const StoredTensor& Artifact::tensor(const std::string& name) const {
  const auto at = std::lower_bound(tensors_.begin(), tensors_.end(), name,
                                   [](const StoredTensor& t, const std::string& wanted) { return t.name < wanted; });
  if (at == tensors_.end() || at->name != name) {
    fail(Errc::malformed, message(file_.path(), ": tensor ", name, " is missing"));
  }
  return *at;
}

Bytes Artifact::section(Section which) const {
  for (const auto& [kind, bytes] : sections_) {
    if (kind == which) return bytes;
  }
  return {};
}

std::string Artifact::section_text(Section which) const {
  const Bytes bytes = section(which);
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

std::vector<std::string> Artifact::verify() const {
  std::vector<std::string> faults;
  std::vector<std::pair<uint64_t, uint64_t>> used;  // [begin, end) of every plane
  const std::byte* begin = file_.bytes().data();
  for (const StoredTensor& stored : tensors_) {
    for (size_t i = 0; i < kPlanes; ++i) {
      const Bytes plane = stored.tensor.planes[i];
      if (plane.empty()) continue;
      if (checksum(plane) != stored.checksums[i]) {
        faults.push_back(message("tensor ", stored.name, ": plane ", plane_name(static_cast<Plane>(i)),
                                 " does not match its checksum"));
      }
      const auto offset = static_cast<uint64_t>(plane.data() - begin);
      used.emplace_back(offset, offset + plane.size());
    }
  }
  std::sort(used.begin(), used.end());
  uint64_t at = sizeof(Header);
  for (const auto& [first, last] : used) {
    if (first < at) faults.push_back(message("planes overlap at offset ", first));
    check_padding(file_.bytes(), at, first, faults);
    at = std::max(at, last);
  }
  check_padding(file_.bytes(), at, header_.index_offset, faults);
  return faults;
}

}  // namespace lathe
