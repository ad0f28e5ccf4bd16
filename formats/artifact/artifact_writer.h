#pragma once
// Writing a .lathe file, plane by plane, so that memory holds one tensor at a time.

#include <filesystem>
#include <map>

#include "formats/artifact/atomic_file.h"
#include "formats/artifact/encoding.h"
#include "formats/artifact/layout.h"
#include "formats/artifact/program.h"

namespace lathe {

/// The same calls in the same order give the same bytes. Nothing appears at the path before finish() returns.
class ArtifactWriter {
 public:
  /// Throws Error{cannot_create} when the path cannot be written.
  explicit ArtifactWriter(const std::filesystem::path& path);

  /// Writes the planes; names are unique. Throws Error{malformed} when the tensor is not valid.
  void add_tensor(const std::string& name, const EncodedTensor& tensor);
  /// Text and tokenizer sections; each at most once. The program is given to finish().
  void set_section(layout::Section which, std::vector<std::byte> bytes);
  void set_section(layout::Section which, std::string_view text);
  /// Writes index and header, syncs, renames. Throws Error{io, malformed}. Returns the size of the file.
  uint64_t finish(const Program& program);

 private:
  struct PlacedPlane {
    uint64_t offset = 0;
    uint64_t bytes = 0;
    uint64_t checksum = 0;
  };
  struct Entry {
    Encoding encoding;
    Shape shape;
    std::array<PlacedPlane, kPlanes> planes;
  };
  PlacedPlane place(Bytes plane);
  std::vector<std::byte> index() const;

  AtomicFile file_;
  std::string path_;
  std::map<std::string, Entry> entries_;
  std::map<layout::Section, std::vector<std::byte>> sections_;
};

}  // namespace lathe
