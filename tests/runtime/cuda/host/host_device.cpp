#include "tests/runtime/cuda/host/host_device.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>

#include "formats/artifact/error.h"
#include "runtime/cuda/kernels/kernel_list.h"
#include "tests/runtime/cuda/host/host_thread.h"

namespace lathe::test {
namespace {

constexpr size_t kGuard = 256;
constexpr std::byte kGuardByte{0xa5};
constexpr std::byte kFreshByte{0xcd};  // what nobody wrote should not look like zero

// ---- the kernels ----

struct KernelRow {
  unsigned threads;
  size_t argument_bytes;
  void (*run)(const HostThread& thread, const void* arguments);
};

template <class Kernel>
void run_thread(const HostThread& thread, const void* arguments) {
  Kernel::run(thread, *static_cast<const typename Kernel::Args*>(arguments));
}

template <size_t... at>
std::array<KernelRow, sizeof...(at)> make_rows(std::index_sequence<at...>) {
  return {KernelRow{std::tuple_element_t<at, cuda::KernelList>::kThreads,
                    sizeof(typename std::tuple_element_t<at, cuda::KernelList>::Args),
                    run_thread<std::tuple_element_t<at, cuda::KernelList>>}...};
}
const std::array<KernelRow, cuda::kKernels> kRows = make_rows(std::make_index_sequence<cuda::kKernels>());

// ---- queues ----

using Work = std::vector<std::function<void()>>;

class HostGraph : public cuda::Graph {
 public:
  HostGraph(Work work, size_t kernels) : work_(std::move(work)), kernels_(kernels) {}
  size_t kernels() const override { return kernels_; }
  const Work& work() const { return work_; }

 private:
  Work work_;
  size_t kernels_;
};

class HostQueue : public cuda::Queue {
 public:
  HostQueue(HostDevice& device, bool lazy) : device_(device), lazy_(lazy) {}

  void upload(void* to, const void* from, size_t bytes) override { copy(to, from, bytes); }
  void download(void* to, const void* from, size_t bytes) override { copy(to, from, bytes); }
  void copy(void* to, const void* from, size_t bytes) override {
    if (bytes > 0) add([=] { std::memcpy(to, from, bytes); });
  }
  void launch(const cuda::Launch& launch, const void* arguments, size_t bytes) override {
    const auto* first = static_cast<const std::byte*>(arguments);
    add([this, launch, copied = std::vector<std::byte>(first, first + bytes)] {
      device_.run_kernel(launch, copied.data());
    });
    ++captured_kernels_;
  }
  void begin_capture() override {
    require(!capturing_, Errc::internal, "a queue records already");
    capturing_ = true;
    captured_kernels_ = 0;
  }
  std::unique_ptr<cuda::Graph> end_capture() override {
    capturing_ = false;
    return std::make_unique<HostGraph>(std::exchange(captured_, {}), captured_kernels_);
  }
  void run(const cuda::Graph& graph) override {
    for (const auto& work : static_cast<const HostGraph&>(graph).work()) add(work);
  }
  void wait() override {
    for (const auto& work : std::exchange(waiting_, {})) work();
  }

 private:
  void add(std::function<void()> work) {
    if (capturing_) {
      captured_.push_back(std::move(work));
    } else if (lazy_) {
      waiting_.push_back(std::move(work));
    } else {
      work();
    }
  }

  HostDevice& device_;
  bool lazy_;
  bool capturing_ = false;
  size_t captured_kernels_ = 0;
  Work captured_;
  Work waiting_;
};

}  // namespace

HostDevice::HostDevice(const HostDeviceOptions& options) : options_(options) {
  facts_ = {"host double", 8, 0, options.memory_bytes, options.multiprocessors};
}

HostDevice::~HostDevice() = default;

void* HostDevice::allocate(size_t bytes, const char* what) {
  if (bytes > free_bytes()) {
    fail(Errc::limit, message(facts_.name, ": ", what, " need ", bytes, " bytes, free are ", free_bytes()));
  }
  std::vector<std::byte> block(bytes + 3 * kGuard, kGuardByte);
  const auto address = reinterpret_cast<uintptr_t>(block.data() + kGuard);
  std::byte* const data = block.data() + kGuard + (kGuard - address % kGuard) % kGuard;
  std::fill_n(data, bytes, kFreshByte);
  used_ += bytes;
  blocks_.emplace(data, std::move(block));
  return data;
}

void HostDevice::release(void* memory) noexcept {
  const auto at = blocks_.find(static_cast<std::byte*>(memory));
  if (at == blocks_.end()) return;
  used_ -= at->second.size() - 3 * kGuard;
  blocks_.erase(at);
}

void* HostDevice::allocate_pinned(size_t bytes, const char*) { return ::operator new(bytes); }
void HostDevice::release_pinned(void* memory) noexcept { ::operator delete(memory); }
std::unique_ptr<cuda::Queue> HostDevice::make_queue() { return std::make_unique<HostQueue>(*this, options_.lazy); }

void HostDevice::check_guards(const std::string& what) const {
  const auto is_guard = [](std::byte byte) { return byte == kGuardByte; };
  for (const auto& [data, block] : blocks_) {
    const auto before = data - block.data();
    const auto bytes = static_cast<std::ptrdiff_t>(block.size() - 3 * kGuard);
    if (!std::all_of(block.begin(), block.begin() + before, is_guard) ||
        !std::all_of(block.begin() + before + bytes, block.end(), is_guard)) {
      fail(Errc::internal, what + " wrote outside an allocation");
    }
  }
}

void HostDevice::run_kernel(const cuda::Launch& launch, const void* arguments) {
  if (options_.fails_after >= 0 && launches_ >= static_cast<size_t>(options_.fails_after)) {
    fail(Errc::io, facts_.name + ": the device was lost");
  }
  ++launches_;
  const KernelRow& row = kRows.at(launch.kernel);
  const std::string name = message("kernel ", launch.kernel);
  BlockRun block(row.threads, launch.shared_bytes, options_.order, options_.seed + launches_);
  const size_t blocks = static_cast<size_t>(launch.grid.x) * launch.grid.y * launch.grid.z;
  for (size_t i = 0; i < blocks; ++i) {
    const size_t at = options_.order == ThreadOrder::backward ? blocks - 1 - i : i;
    const cuda::Grid place{static_cast<unsigned>(at % launch.grid.x),
                           static_cast<unsigned>(at / launch.grid.x % launch.grid.y),
                           static_cast<unsigned>(at / launch.grid.x / launch.grid.y)};
    try {
      block.run(place, [&](unsigned thread) { row.run(HostThread(block, thread), arguments); });
    } catch (const std::runtime_error& error) {
      fail(Errc::internal, message(name, ": ", error.what()));
    }
  }
  check_guards(name);
}

}  // namespace lathe::test
