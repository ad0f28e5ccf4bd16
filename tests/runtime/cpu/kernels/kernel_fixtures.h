#pragma once
// What the kernel tests share: which kernels this CPU runs, guarded buffers, random data and the reference functions.

#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "runtime/cpu/isa.h"
#include "runtime/cpu/kernels/registry.h"

namespace lathe::kernels {

inline size_t padded_to(size_t n, size_t multiple) { return (n + multiple - 1) / multiple * multiple; }

/// Those of the kernels that this CPU can run.
template <class Kernel>
std::vector<const Kernel*> runnable(std::span<const Kernel* const> kernels) {
  std::vector<const Kernel*> out;
  for (const Kernel* kernel : kernels) {
    if (kernel->isa > detect_isa()) continue;
    if constexpr (requires { kernel->needs_vbmi2; }) {
      if (kernel->needs_vbmi2 && !has_vbmi2()) continue;
    }
    out.push_back(kernel);
  }
  return out;
}

/// Bytes at a 64-byte boundary with a pattern before and after them that intact() looks for.
class GuardedBuffer {
 public:
  explicit GuardedBuffer(size_t bytes) : bytes_(bytes), storage_(bytes + 2 * kGuard + 64, kPattern) {
    const auto address = reinterpret_cast<uintptr_t>(storage_.data() + kGuard);
    offset_ = kGuard + (padded_to(address, 64) - address);
  }
  void* data() { return storage_.data() + offset_; }
  bool intact() const {
    for (size_t i = 0; i < storage_.size(); ++i) {
      if ((i < offset_ || i >= offset_ + bytes_) && storage_[i] != kPattern) return false;
    }
    return true;
  }

 private:
  static constexpr size_t kGuard = 128;
  static constexpr uint8_t kPattern = 0xA5;
  size_t bytes_;
  std::vector<uint8_t> storage_;
  size_t offset_ = 0;
};

/// A matrix of floats whose rows stand apart; intact() tells that nothing was written between and around them.
class GuardedMatrix {
 public:
  GuardedMatrix(size_t rows, size_t width, size_t gap)
      : rows_(rows), width_(width), stride_(width + gap), values_(rows * stride_ + 2 * kMargin, kCanary) {}
  float* data() { return values_.data() + kMargin; }
  size_t stride() const { return stride_; }
  float at(size_t row, size_t column) const { return values_[kMargin + row * stride_ + column]; }
  /// Only the first `rows` rows were to be written.
  bool intact(size_t rows) const {
    for (size_t i = 0; i < values_.size(); ++i) {
      const bool inside = i >= kMargin && (i - kMargin) / stride_ < rows && (i - kMargin) % stride_ < width_;
      if (!inside && std::memcmp(&values_[i], &kCanary, sizeof(float)) != 0) return false;
    }
    return true;
  }
  bool intact() const { return intact(rows_); }

 private:
  static constexpr size_t kMargin = 64;
  static constexpr float kCanary = -12345.678F;
  size_t rows_, width_, stride_;
  std::vector<float> values_;
};

using Random = std::mt19937;

inline float uniform(Random& random, float low, float high) {
  return std::uniform_real_distribution<float>(low, high)(random);
}

inline std::vector<float> uniform_floats(Random& random, size_t n, float low = -1.0F, float high = 1.0F) {
  std::vector<float> out(n);
  for (float& x : out) x = uniform(random, low, high);
  return out;
}

/// Epilogue functions from their definitions.
inline double reference_epilogue(Epilogue kind, double x) {
  switch (kind) {
    case Epilogue::none:
      return x;
    case Epilogue::gelu:
      return x * 0.5 * (1.0 + std::erf(x / std::sqrt(2.0)));
    case Epilogue::gelu_tanh:
      return 0.5 * x * (1.0 + std::tanh(std::sqrt(2.0 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    case Epilogue::relu:
      return x > 0.0 ? x : 0.0;
    case Epilogue::silu:
      return x / (1.0 + std::exp(-x));
    case Epilogue::tanh:
      return std::tanh(x);
  }
  return NAN;
}

inline constexpr Epilogue kEpilogues[] = {Epilogue::none, Epilogue::gelu, Epilogue::gelu_tanh,
                                          Epilogue::relu, Epilogue::silu, Epilogue::tanh};

}  // namespace lathe::kernels
