#pragma once
// The little that the executor asks of a device: memory, queues, graphs. The module that is loaded at run time
// implements it with CUDA; a double on the host runs the same kernels in the tests.

#include <cstddef>
#include <memory>
#include <string>

namespace lathe::cuda {

struct DeviceFacts {
  std::string name;  // "NVIDIA H100 80GB HBM3"
  int major = 0;     // compute capability
  int minor = 0;
  size_t memory_bytes = 0;
  unsigned multiprocessors = 1;
};

struct Grid {
  unsigned x = 1, y = 1, z = 1;
};

struct Launch {
  size_t kernel = 0;  // its place in KernelList
  Grid grid;
  unsigned shared_bytes = 0;
};

/// Launches that were recorded once and run together.
class Graph {
 public:
  virtual ~Graph() = default;
  virtual size_t kernels() const = 0;
};

/// Work that is done in order, beside what the caller does. All throw Error{io} when the device fails; an error of
/// earlier work may show in a later call.
class Queue {
 public:
  virtual ~Queue() = default;
  /// Host memory is pinned memory of the device, and neither side may change before wait() returns.
  virtual void upload(void* to, const void* from, size_t bytes) = 0;
  virtual void download(void* to, const void* from, size_t bytes) = 0;
  /// Between two places of the device.
  virtual void copy(void* to, const void* from, size_t bytes) = 0;
  /// `arguments` is copied.
  virtual void launch(const Launch& launch, const void* arguments, size_t bytes) = 0;
  /// Launches and copies between the two calls are recorded and not run.
  virtual void begin_capture() = 0;
  virtual std::unique_ptr<Graph> end_capture() = 0;
  /// `graph` comes from a queue of the same device and is not destroyed before wait() returns.
  virtual void run(const Graph& graph) = 0;
  /// Returns when all work is done.
  virtual void wait() = 0;
};

/// Any thread may use a device; a queue belongs to one thread at a time.
class Device {
 public:
  virtual ~Device() = default;
  virtual const DeviceFacts& facts() const = 0;
  virtual size_t free_bytes() const = 0;
  /// Memory of the device, at a multiple of 256 bytes. Throws Error{limit} that names `what`, its need and what is
  /// free.
  virtual void* allocate(size_t bytes, const char* what) = 0;
  virtual void release(void* memory) noexcept = 0;
  /// Memory of the host that the device reads and writes by itself. Throws Error{limit} that names `what`.
  virtual void* allocate_pinned(size_t bytes, const char* what) = 0;
  virtual void release_pinned(void* memory) noexcept = 0;
  virtual std::unique_ptr<Queue> make_queue() = 0;
};

}  // namespace lathe::cuda
