#pragma once
// Writes a file so that its path holds either what it held before or the complete new content, never a part.

#include <filesystem>

#include "formats/artifact/bytes.h"

namespace lathe {

/// The bytes go to an unnamed file of the target's folder (where the file system has them; a kill then leaves nothing
/// behind) or to a temporary name beside it; commit() syncs and renames. Destruction without commit() discards.
/// Errors: Error{cannot_create} when the folder refuses, Error{io} when writing fails half-way.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& target);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  void append(Bytes bytes);
  /// Overwrites bytes that were written before.
  void write_at(uint64_t offset, Bytes bytes);
  uint64_t size() const { return size_; }
  void commit();

 private:
  void give_name();
  [[noreturn]] void fail_write(const char* action) const;

  std::filesystem::path target_;
  std::filesystem::path temporary_;  // empty while the file has no name
  int fd_ = -1;
  uint64_t size_ = 0;
};

/// AtomicFile in one call.
void write_file(const std::filesystem::path& path, std::string_view text);

/// Throws Error{cannot_create} when `target` could not be written: its folder is absent or read-only, or it is there
/// and no regular file but a folder, a symbolic link, a pipe or a device, which writing would replace. Called before
/// any long work.
void check_writable(const std::filesystem::path& target);

}  // namespace lathe
