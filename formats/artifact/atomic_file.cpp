#include "formats/artifact/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace lathe {
namespace {

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

constexpr mode_t kMode = 0666;  // the umask takes away what the user does not want

}  // namespace

AtomicFile::AtomicFile(const std::filesystem::path& target) : target_(target) {
  check_writable(target);
  fd_ = ::open(folder_of(target_).c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, kMode);
  if (fd_ < 0) {
    temporary_ = folder_of(target_) / message(".", target_.filename().string(), ".", ::getpid(), ".tmp");
    fd_ = ::open(temporary_.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, kMode);
    if (fd_ < 0) {
      temporary_.clear();
      fail(Errc::cannot_create, message(target_.string(), ": cannot create: ", std::strerror(errno)));
    }
  }
}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::fail_write(const char* action) const {
  const int error = errno;
  std::error_code ignored;
  const auto space = std::filesystem::space(folder_of(target_), ignored);
  std::string text = message(target_.string(), ": ", action, " at offset ", size_, ": ", std::strerror(error));
  if (!ignored) text += message(" (", space.available, " bytes free)");
  fail(Errc::io, text + "; the previous file, if any, is unchanged");
}

void AtomicFile::append(Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_write("cannot write");
    bytes = bytes.subspan(static_cast<size_t>(written));
    size_ += static_cast<uint64_t>(written);
  }
}

void AtomicFile::write_at(uint64_t offset, Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_write("cannot rewrite");
    bytes = bytes.subspan(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
}

// linkat() cannot replace a file, so an unnamed file first gets a temporary name.
void AtomicFile::give_name() {
  if (!temporary_.empty()) return;
  const auto name = folder_of(target_) / message(".", target_.filename().string(), ".", ::getpid(), ".tmp");
  const std::string self = message("/proc/self/fd/", fd_);
  ::unlink(name.c_str());
  if (::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) != 0) fail_write("cannot link");
  temporary_ = name;
}

void AtomicFile::commit() {
  if (::fsync(fd_) != 0) fail_write("cannot sync");
  give_name();
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail_write("cannot rename");
  temporary_.clear();
  const int closed = ::close(fd_);
  fd_ = -1;
  if (closed != 0) fail_write("cannot close");
  const int folder = ::open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    ::fsync(folder);  // best effort: some file systems refuse to sync a folder
    ::close(folder);
  }
}

void write_file(const std::filesystem::path& path, std::string_view text) {
  AtomicFile file(path);
  file.append(std::as_bytes(std::span(text)));
  file.commit();
}

void check_writable(const std::filesystem::path& target) {
  std::error_code ignored;
  if (target.filename().empty() || std::filesystem::is_directory(target, ignored)) {
    fail(Errc::cannot_create, message(target.string(), ": is a folder, expected a file name"));
  }
  const std::filesystem::file_status status = std::filesystem::symlink_status(target, ignored);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    fail(Errc::cannot_create,
         message(target.string(), ": is ", std::filesystem::is_symlink(status) ? "a symbolic link" : "no regular file",
                 ", which would be replaced; give the name of a file"));
  }
  const auto folder = folder_of(target);
  if (!std::filesystem::is_directory(folder, ignored)) {
    fail(Errc::cannot_create, message(target.string(), ": folder ", folder.string(), " does not exist"));
  }
  if (::access(folder.c_str(), W_OK | X_OK) != 0) {
    fail(Errc::cannot_create,
         message(target.string(), ": cannot write in folder ", folder.string(), ": ", std::strerror(errno)));
  }
}

}  // namespace lathe
