#include "compress/training/torch/engine.h"

#include <ATen/Context.h>
#include <malloc.h>
#include <torch/version.h>

#include "compress/training/torch/distillation.h"
#include "compress/training/torch/interpreter.h"
#include "compress/training/torch/reconstruction.h"

// A function of OpenBLAS, which is null where LibTorch does not use OpenBLAS.
extern "C" void openblas_set_num_threads(int threads) __attribute__((weak));

namespace lathe::training {
namespace {

// Training allocates and frees the same large buffers in every step. If malloc gave them back to the system each time,
// their page faults would cost more time than the arithmetic.
void keep_freed_memory() {
  constexpr int kLargestThreshold = 32 << 20;  // glibc refuses a larger one
  ::mallopt(M_MMAP_THRESHOLD, kLargestThreshold);
  ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
  ::mallopt(M_ARENA_MAX, 1);  // the arenas of other threads ignore the thresholds
}

class LibTorchEngine : public TrainingEngine {
 public:
  explicit LibTorchEngine(const at::Device& device) : device_(device) {
    keep_freed_memory();
    use_one_thread();
    at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true);
    if (openblas_set_num_threads != nullptr) openblas_set_num_threads(1);
  }

  std::string description() const override {
    return message("LibTorch ", TORCH_VERSION, device_.is_cuda() ? ", CUDA" : ", CPU");
  }

  std::vector<std::vector<float>> forward(const Program& program, const WeightLookup& weights, const TokenBatch& batch,
                                          const std::vector<uint32_t>& wanted) override {
    const at::NoGradGuard no_gradients;
    const std::vector<at::Tensor> tensors = decoded_weights(program.weights, weights, device_);
    const Values values = interpret(program, tensors, make_tensor_batch(batch, device_), {}, wanted);
    std::vector<std::vector<float>> result;
    for (const uint32_t id : wanted) result.push_back(floats_of(values.at(id)));
    return result;
  }

  std::vector<TrainingCurve> reconstruct_blocks(TrainingJob& job, Progress& progress) override {
    return training::reconstruct_blocks(job, progress, device_);
  }

  TrainingCurve distill(TrainingJob& job, Progress& progress) override {
    return training::distill(job, progress, device_);
  }

 private:
  at::Device device_;
};

}  // namespace

std::unique_ptr<TrainingEngine> make_engine(TrainingDevice device) {
  const bool has_cuda = at::globalContext().hasCUDA();
  if (device == TrainingDevice::cuda && !has_cuda) {
    fail(Errc::unsupported,
         message("--device cuda: LibTorch ", TORCH_VERSION, " finds no CUDA device on this machine"));
  }
  const bool cuda = has_cuda && device != TrainingDevice::cpu;
  return std::make_unique<LibTorchEngine>(cuda ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU));
}

}  // namespace lathe::training
