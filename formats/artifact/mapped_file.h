#pragma once
// A read-only mapping of a whole file.

#include <filesystem>

#include "formats/artifact/bytes.h"

namespace lathe {

/// Owns the mapping; views into bytes() die with it. Movable, not copyable; reading from several threads is safe.
class MappedFile {
 public:
  /// Throws Error{no_input} when the file is absent, unreadable or not a regular file.
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  Bytes bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }

  /// Tells the system that these bytes will not be needed soon, so that they stop counting as resident memory.
  /// They are read again from the file when touched. Bytes outside the mapping are ignored.
  void release(Bytes range) const noexcept;

 private:
  std::string path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace lathe
