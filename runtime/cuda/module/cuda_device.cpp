// The device through the CUDA runtime, which is linked in: only the driver is looked for, when the module is loaded.

#include <cuda_runtime.h>

#include <vector>

#include "formats/artifact/error.h"
#include "runtime/cuda/device.h"
#include "runtime/cuda/module/kernel_table.h"

namespace lathe::cuda {
namespace {

constexpr int kFirstDevice = 0;
constexpr int kOldestMajor = 8;  // compute capability: the kernels use cp.async and the integer tensor cores

Errc code_of(cudaError_t error) {
  switch (error) {
    case cudaErrorMemoryAllocation:
      return Errc::limit;
    case cudaErrorNoDevice:
    case cudaErrorInsufficientDriver:
    case cudaErrorInvalidDevice:
    case cudaErrorNoKernelImageForDevice:
      return Errc::unsupported;
    default:
      return Errc::io;
  }
}

void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  fail(code_of(error), message("CUDA: ", what, ": ", cudaGetErrorString(error)));
}

// The runtime keeps the current device for each thread.
void use_device() { check(cudaSetDevice(kFirstDevice), "choosing the device"); }

std::string version_text(int version) { return message(version / 1000, ".", version % 1000 / 10); }

// Each major version of the runtime runs with the drivers of that version and later ones.
void check_driver() {
  int driver = 0;
  check(cudaDriverGetVersion(&driver), "looking for the driver");
  if (driver == 0) fail(Errc::unsupported, "CUDA: this machine has no NVIDIA driver");
  if (driver / 1000 < CUDART_VERSION / 1000) {
    fail(Errc::unsupported, message("CUDA: the driver is for CUDA ", version_text(driver),
                                    ", this build needs one for ", CUDART_VERSION / 1000, ".0 or later"));
  }
}

class CudaGraph : public Graph {
 public:
  explicit CudaGraph(cudaGraph_t graph) {
    size_t count = 0;
    check(cudaGraphGetNodes(graph, nullptr, &count), "counting the nodes of a graph");
    std::vector<cudaGraphNode_t> nodes(count);
    check(cudaGraphGetNodes(graph, nodes.data(), &count), "listing the nodes of a graph");
    for (const cudaGraphNode_t node : nodes) {
      cudaGraphNodeType type{};
      check(cudaGraphNodeGetType(node, &type), "looking at a node of a graph");
      if (type == cudaGraphNodeTypeKernel) ++kernels_;
    }
    check(cudaGraphInstantiateWithFlags(&graph_, graph, 0), "preparing a graph");
  }
  CudaGraph(const CudaGraph&) = delete;
  CudaGraph& operator=(const CudaGraph&) = delete;
  ~CudaGraph() override { cudaGraphExecDestroy(graph_); }

  size_t kernels() const override { return kernels_; }
  cudaGraphExec_t get() const { return graph_; }

 private:
  cudaGraphExec_t graph_ = nullptr;
  size_t kernels_ = 0;
};

class CudaQueue : public Queue {
 public:
  CudaQueue() {
    use_device();
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a queue");
  }
  CudaQueue(const CudaQueue&) = delete;
  CudaQueue& operator=(const CudaQueue&) = delete;
  ~CudaQueue() override {
    cudaStreamSynchronize(stream_);
    cudaStreamDestroy(stream_);
  }

  void upload(void* to, const void* from, size_t bytes) override { transfer(to, from, bytes, cudaMemcpyHostToDevice); }
  void download(void* to, const void* from, size_t bytes) override {
    transfer(to, from, bytes, cudaMemcpyDeviceToHost);
  }
  void copy(void* to, const void* from, size_t bytes) override { transfer(to, from, bytes, cudaMemcpyDeviceToDevice); }

  void launch(const Launch& launch, const void* arguments, size_t) override {
    const KernelEntry& kernel = kernel_entry(launch.kernel);
    void* pointers[] = {const_cast<void*>(arguments)};
    check(cudaLaunchKernel(kernel.function, dim3(launch.grid.x, launch.grid.y, launch.grid.z), dim3(kernel.threads),
                           pointers, launch.shared_bytes, stream_),
          "launching a kernel");
  }

  void begin_capture() override {
    check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "recording a graph");
  }
  std::unique_ptr<Graph> end_capture() override {
    cudaGraph_t graph = nullptr;
    check(cudaStreamEndCapture(stream_, &graph), "recording a graph");
    auto result = std::make_unique<CudaGraph>(graph);
    cudaGraphDestroy(graph);
    return result;
  }
  void run(const Graph& graph) override {
    check(cudaGraphLaunch(static_cast<const CudaGraph&>(graph).get(), stream_), "running a graph");
  }
  void wait() override { check(cudaStreamSynchronize(stream_), "waiting for the device"); }

 private:
  void transfer(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
    if (bytes > 0) check(cudaMemcpyAsync(to, from, bytes, kind, stream_), "copying");
  }

  cudaStream_t stream_ = nullptr;
};

class CudaDevice : public Device {
 public:
  CudaDevice() {
    check_driver();
    int count = 0;
    check(cudaGetDeviceCount(&count), "looking for a device");
    if (count == 0) fail(Errc::unsupported, "CUDA: there is no device");
    use_device();
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, kFirstDevice), "asking what the device is");
    facts_ = {properties.name, properties.major, properties.minor, properties.totalGlobalMem,
              static_cast<unsigned>(properties.multiProcessorCount)};
    if (facts_.major < kOldestMajor) {
      fail(Errc::unsupported, message("CUDA: ", facts_.name, " has compute capability ", facts_.major, ".",
                                      facts_.minor, "; the kernels need ", kOldestMajor, ".0"));
    }
  }

  const DeviceFacts& facts() const override { return facts_; }
  size_t free_bytes() const override {
    use_device();
    size_t available = 0, total = 0;
    check(cudaMemGetInfo(&available, &total), "asking for free memory");
    return available;
  }

  void* allocate(size_t bytes, const char* what) override {
    use_device();
    void* memory = nullptr;
    if (cudaMalloc(&memory, bytes) == cudaSuccess) return memory;
    cudaGetLastError();  // the next call should not see this error again
    fail(Errc::limit, message(facts_.name, ": ", what, " need ", bytes, " bytes, free are ", free_bytes()));
  }
  void release(void* memory) noexcept override { cudaFree(memory); }
  void* allocate_pinned(size_t bytes, const char* what) override {
    use_device();
    void* memory = nullptr;
    if (cudaMallocHost(&memory, bytes) == cudaSuccess) return memory;
    cudaGetLastError();
    fail(Errc::limit, message(facts_.name, ": ", what, " need ", bytes, " bytes of pinned memory of the host"));
  }
  void release_pinned(void* memory) noexcept override { cudaFreeHost(memory); }
  std::unique_ptr<Queue> make_queue() override { return std::make_unique<CudaQueue>(); }

 private:
  DeviceFacts facts_;
};

}  // namespace
}  // namespace lathe::cuda

/// The caller owns the device. Throws Error{unsupported} where there is none that the kernels run on.
extern "C" __attribute__((visibility("default"))) lathe::cuda::Device* lathe_open_cuda_device() {
  return new lathe::cuda::CudaDevice();
}
