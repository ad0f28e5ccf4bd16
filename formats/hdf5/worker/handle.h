#pragma once
// Identifiers of the HDF5 library that close themselves, and what the library says when it refuses.

#include <hdf5.h>

#include <string>
#include <utility>

#include "formats/artifact/error.h"

namespace lathe::hdf5 {

/// Owns an identifier. Movable, not copyable.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);

  Handle() = default;
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (id_ >= 0 && close_ != nullptr) close_(id_);
  }

  hid_t get() const { return id_; }

 private:
  hid_t id_ = -1;
  Close close_ = nullptr;
};

/// The innermost reason of the library's last failure, in its own words.
std::string library_reason();

/// Throws Error{malformed} that says what could not be done and why, when the library has returned a negative number.
template <class Result>
Result checked(Result result, const std::string& what) {
  if (result < 0) fail(Errc::malformed, message(what, " cannot be read: ", library_reason()));
  return result;
}

/// How files are opened: by the C library, because the usual driver asks for the real path of what it opens, which a
/// file without a name does not have; and without locks, because nobody else writes the file and some file systems
/// cannot lock.
Handle file_access();

}  // namespace lathe::hdf5
