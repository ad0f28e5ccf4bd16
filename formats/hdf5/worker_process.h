#pragma once
// Runs lathe-hdf5, the program in which libhdf5 may crash, hang and ask for memory without harm
// (docs/decisions/0014-hdf5-in-a-process-of-its-own.md).

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

namespace lathe {

/// A file descriptor that is closed with the object. Movable, not copyable; -1 is none.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor();

  int get() const { return fd_; }
  void reset();
  /// By which this process, and no other, can open the same file again.
  std::string path() const;

 private:
  int fd_;
};

/// What the worker may use; the system ends it when it uses more.
struct WorkerLimits {
  uint64_t memory_bytes = 0;
  uint64_t output_bytes = 0;
  std::chrono::seconds processor{0};
  std::chrono::milliseconds wall{0};
};
/// For reading a file of this size.
WorkerLimits hdf5_reading_limits(uint64_t file_bytes);
/// For writing tensors of this size together.
WorkerLimits hdf5_writing_limits(uint64_t tensor_bytes);

/// The worker beside this program, or in the library folder of its installation. Throws Error{unsupported}.
std::filesystem::path find_hdf5_worker();

struct WorkerJob {
  std::filesystem::path program;  // find_hdf5_worker()
  const char* job = nullptr;      // "read" or "write"
  int input = -1;
  int output = -1;  // an empty file
  WorkerLimits limits;
  std::string file;  // for messages
};

/// Runs the worker to its end; it ends with this thread, too. Returns when it says that it is done, which does not mean
/// that its output is good. Throws what the worker reports (Error{malformed, unsupported, limit, io}) with the file's
/// name in front, Error{malformed} when it crashes or says nothing that can be understood, Error{limit} when it uses
/// more than it may, Error{internal} when it cannot be started. Safe to call from several threads.
void run_hdf5_worker(const WorkerJob& job);

}  // namespace lathe
