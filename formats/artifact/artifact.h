#pragma once
// Reading a .lathe file.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "formats/artifact/encoding.h"
#include "formats/artifact/layout.h"
#include "formats/artifact/mapped_file.h"
#include "formats/artifact/program.h"

namespace lathe {

/// One row of the tensor directory: the planes are views into the mapped file.
struct StoredTensor {
  std::string name;
  EncodedTensor tensor;
  std::array<uint64_t, kPlanes> checksums{};  // 0 for a plane that the encoding does not have
};

/// A validated artifact: structure, program, sizes and scales have been checked, so kernels may trust every index.
/// Checksums of planes are not read here (that costs a pass over the file): verify() does. Movable; views stay valid
/// as long as the artifact lives. Immutable, safe to read from several threads.
class Artifact {
 public:
  /// Throws Error{no_input, malformed, unsupported}.
  static Artifact open(const std::filesystem::path& path);

  const Program& program() const { return program_; }
  const std::vector<StoredTensor>& tensors() const { return tensors_; }
  /// Throws Error{malformed} when there is none of that name.
  const StoredTensor& tensor(const std::string& name) const;
  /// Raw bytes of a section; empty when the file has none.
  Bytes section(layout::Section which) const;
  std::string section_text(layout::Section which) const;
  const MappedFile& file() const { return file_; }

  /// Recomputes every checksum and checks that padding is zero; returns one sentence for each fault, naming the
  /// tensor and plane. Empty: the file is intact.
  std::vector<std::string> verify() const;

 private:
  explicit Artifact(MappedFile file) : file_(std::move(file)) {}
  void read_header();
  void read_index();
  StoredTensor read_tensor(ByteReader& in) const;

  MappedFile file_;
  layout::Header header_{};
  Program program_;
  std::vector<StoredTensor> tensors_;
  std::vector<std::pair<layout::Section, Bytes>> sections_;
};

}  // namespace lathe
