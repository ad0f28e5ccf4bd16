#include "runtime/cuda/executor.h"

#include "formats/artifact/error.h"
#include "runtime/cuda/context.h"

namespace lathe::cuda {
namespace {

class CudaExecutor : public Executor {
 public:
  CudaExecutor(std::shared_ptr<Device> device, const Program& program, const WeightLookup& weights)
      : device_(std::move(device)),
        store_(upload_weights(*device_, program, weights)),
        plan_(make_plan(program, store_)) {
    const DeviceFacts& facts = device_->facts();
    description_ = {lathe::Device::cuda, instruction_set_of(facts), store_.kernels, store_.memory.bytes(), facts.name};
  }

  // The device does the work; the threads of the host have none.
  std::unique_ptr<ExecutionContext> make_context(size_t) const override {
    return std::make_unique<Context>(*device_, plan_);
  }
  std::unique_ptr<lathe::CacheMemory> make_cache(size_t sequences, size_t capacity, CacheType type) const override {
    return std::make_unique<CacheMemory>(*device_, plan_, sequences, capacity, type);
  }
  const ExecutorDescription& description() const override { return description_; }

 private:
  std::shared_ptr<Device> device_;
  WeightStore store_;
  Plan plan_;
  ExecutorDescription description_;
};

}  // namespace

std::string instruction_set_of(const DeviceFacts& facts) { return message("sm_", facts.major, facts.minor); }

std::unique_ptr<Executor> make_executor(std::shared_ptr<Device> device, const Program& program,
                                        const WeightLookup& weights) {
  return std::make_unique<CudaExecutor>(std::move(device), program, weights);
}

}  // namespace lathe::cuda
