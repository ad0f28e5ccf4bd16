#include "formats/artifact/artifact_writer.h"

#include "formats/artifact/checksum.h"
#include "formats/artifact/program_section.h"

namespace lathe {

ArtifactWriter::ArtifactWriter(const std::filesystem::path& path) : file_(path), path_(path.string()) {
  const layout::Header empty{};
  file_.append(std::as_bytes(std::span(&empty, 1)));
}

ArtifactWriter::PlacedPlane ArtifactWriter::place(Bytes plane) {
  if (plane.empty()) return {};
  const std::vector<std::byte> padding(round_up(file_.size(), layout::kPlaneAlignment) - file_.size());
  file_.append(padding);
  const PlacedPlane placed{file_.size(), plane.size(), checksum(plane)};
  file_.append(plane);
  return placed;
}

void ArtifactWriter::add_tensor(const std::string& name, const EncodedTensor& tensor) {
  validate(tensor, path_ + ": " + name);
  Entry entry{tensor.encoding, tensor.shape, {}};
  for (size_t i = 0; i < kPlanes; ++i) entry.planes[i] = place(tensor.planes[i]);
  if (!entries_.emplace(name, std::move(entry)).second) {
    fail(Errc::internal, message(path_, ": tensor ", name, " is added twice"));
  }
}

void ArtifactWriter::set_section(layout::Section which, std::vector<std::byte> bytes) {
  sections_[which] = std::move(bytes);
}

void ArtifactWriter::set_section(layout::Section which, std::string_view text) {
  const Bytes bytes = std::as_bytes(std::span(text));
  sections_[which].assign(bytes.begin(), bytes.end());
}

std::vector<std::byte> ArtifactWriter::index() const {
  ByteWriter out;
  out.write(static_cast<uint32_t>(entries_.size()));
  for (const auto& [name, entry] : entries_) {
    out.write_string(name);
    out.write(static_cast<uint8_t>(entry.encoding.values));
    out.write(static_cast<uint8_t>(entry.encoding.sparsity));
    out.write(entry.encoding.group);
    out.write(static_cast<uint8_t>(entry.shape.size()));
    for (const uint64_t dim : entry.shape) out.write(dim);
    for (const PlacedPlane& plane : entry.planes) {
      out.write(plane.offset);
      out.write(plane.bytes);
      out.write(plane.checksum);
    }
  }
  out.write(static_cast<uint32_t>(sections_.size()));
  for (const auto& [which, bytes] : sections_) {
    out.write(static_cast<uint32_t>(which));
    out.write(static_cast<uint64_t>(bytes.size()));
    out.append(bytes);
  }
  return out.bytes();
}

uint64_t ArtifactWriter::finish(const Program& program) {
  const auto shape_of = [this](const std::string& name) -> Shape {
    const auto at = entries_.find(name);
    if (at == entries_.end()) fail(Errc::internal, message(path_, ": tensor ", name, " was never added"));
    return at->second.shape;
  };
  validate(program, shape_of, path_);
  sections_[layout::Section::program] = encode_program(program);

  const std::vector<std::byte> index_bytes = index();
  layout::Header header{};
  header.magic = layout::kMagic;
  header.version = layout::kVersion;
  header.header_bytes = sizeof header;
  header.index_offset = file_.size();
  header.index_bytes = index_bytes.size();
  header.index_checksum = checksum(index_bytes);
  file_.append(index_bytes);
  header.file_bytes = file_.size();
  const Bytes header_bytes = std::as_bytes(std::span(&header, 1));
  header.header_checksum = checksum(header_bytes.first(offsetof(layout::Header, header_checksum)));
  file_.write_at(0, header_bytes);
  file_.commit();
  return header.file_bytes;
}

}  // namespace lathe
