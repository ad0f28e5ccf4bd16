// Measures every kernel that this CPU runs and prints its rate, for integers also as a share of the measured
// vpdpbusd (or, without VNNI, nominal) peak. One thread; the best of many short runs, so that a busy machine matters
// little. Usage: bench_kernels [part of a kernel's name]

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "runtime/cpu/isa.h"
#include "runtime/cpu/kernels/registry.h"

namespace {

using namespace lathe::kernels;

struct Free {
  void operator()(void* p) const { std::free(p); }
};

/// 64-byte aligned zeros.
std::unique_ptr<uint8_t, Free> aligned(size_t bytes) {
  auto* p = static_cast<uint8_t*>(std::aligned_alloc(64, (bytes / 64 + 1) * 64));
  std::memset(p, 0, bytes);
  return std::unique_ptr<uint8_t, Free>(p);
}

/// CPU time of this thread: a call that the scheduler interrupts is not charged for the others.
double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Seconds of the fastest of many calls.
double best_seconds(const std::function<void()>& call) {
  double best = 1e9;
  const double end = thread_seconds() + 0.3;
  for (double start = thread_seconds(); start < end;) {
    call();
    const double stop = thread_seconds();
    best = std::min(best, stop - start);
    start = stop;
  }
  return best;
}

/// GOPS of independent vpdpbusd on registers, the ceiling of the integer kernels.
double vnni_peak() {
  constexpr int kRounds = 100000;
  const double seconds = best_seconds([] {
    int rounds = kRounds;
    asm volatile(
        "1:\n"
        "vpdpbusd %%zmm0,%%zmm0,%%zmm1\n vpdpbusd %%zmm0,%%zmm0,%%zmm2\n vpdpbusd %%zmm0,%%zmm0,%%zmm3\n"
        "vpdpbusd %%zmm0,%%zmm0,%%zmm4\n vpdpbusd %%zmm0,%%zmm0,%%zmm5\n vpdpbusd %%zmm0,%%zmm0,%%zmm6\n"
        "vpdpbusd %%zmm0,%%zmm0,%%zmm7\n vpdpbusd %%zmm0,%%zmm0,%%zmm8\n vpdpbusd %%zmm0,%%zmm0,%%zmm9\n"
        "vpdpbusd %%zmm0,%%zmm0,%%zmm10\n vpdpbusd %%zmm0,%%zmm0,%%zmm11\n vpdpbusd %%zmm0,%%zmm0,%%zmm12\n"
        "dec %0\n jnz 1b\n"
        : "+r"(rounds)
        :
        : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12");
  });
  return kRounds * 12.0 * 128.0 / seconds * 1e-9;
}

struct Shape {
  size_t rows, outputs, inputs;
};
constexpr Shape kShapes[] = {{64, 384, 384}, {64, 1536, 384}, {64, 384, 1536}, {8, 384, 384}};

std::mt19937 random_bits(1);

std::vector<int8_t> random_integers(const Shape& s, double sparsity, std::vector<uint8_t>& group_scales, size_t group) {
  std::vector<int8_t> out(s.outputs * s.inputs);
  const size_t groups = group == 0 ? 0 : (s.inputs + group - 1) / group;
  group_scales.assign(s.outputs * groups, 0);
  for (auto& m : group_scales) m = static_cast<uint8_t>(1 + random_bits() % 15);
  for (size_t i = 0; i < out.size(); ++i) {
    if (random_bits() % 1000 < sparsity * 1000) continue;
    if (group == 0) {
      out[i] = static_cast<int8_t>(random_bits() % 255 - 127);
    } else {
      const int multiplier = group_scales[i / s.inputs * groups + i % s.inputs / group];
      out[i] = static_cast<int8_t>((static_cast<int>(random_bits() % 16) - 8) * multiplier);
    }
  }
  return out;
}

void bench_integer(const IntegerLinearKernel& kernel, const Shape& s, double peak, Epilogue epilogue) {
  const bool int4 = kernel.format == IntegerFormat::int4_dense || kernel.format == IntegerFormat::int4_bitmask;
  const bool sparse = kernel.format == IntegerFormat::int8_bitmask || kernel.format == IntegerFormat::int4_bitmask;
  const size_t group = int4 ? 32 : 0;
  std::vector<uint8_t> group_scales;
  const auto integers = random_integers(s, sparse ? 0.5 : 0.0, group_scales, group);
  const IntegerWeight weight{integers.data(), s.outputs, s.inputs, int4 ? group_scales.data() : nullptr, group};
  const size_t bytes = kernel.packed_bytes(weight);
  const auto packed = aligned(bytes);
  kernel.pack(weight, packed.get());
  const std::vector<float> scales(s.outputs + 64, 0.001F);
  const std::vector<float> bias(s.outputs + 64, 0.1F);
  const std::vector<int32_t> sums(s.outputs + 64, 3);
  const std::vector<float> x_scales(s.rows, 0.01F);
  const std::vector<int32_t> x_zeros(s.rows, 100);
  std::vector<uint8_t> x(s.rows * s.inputs);
  for (auto& v : x) v = static_cast<uint8_t>(random_bits());
  std::vector<float> y(s.rows * s.outputs);
  const auto scratch = aligned(kernel.scratch_bytes(s.outputs, s.inputs));
  const PackedInteger p{packed.get(), s.outputs, s.inputs, group, scales.data(), sums.data(), bias.data()};
  const IntegerLinearArgs args{x.data(), s.inputs, x_scales.data(), x_zeros.data(), s.rows,
                               &p,       y.data(), s.outputs,       epilogue,       scratch.get()};
  const double gops =
      2e-9 * static_cast<double>(s.rows * s.outputs * s.inputs) / best_seconds([&] { kernel.run(args); });
  std::printf("%-40s %3zu x %4zu x %4zu%s %7.1f GOPS %5.1f %%  %.3f bytes/weight\n", kernel.name, s.rows, s.outputs,
              s.inputs, epilogue == Epilogue::gelu ? " gelu" : "     ", gops, 100.0 * gops / peak,
              static_cast<double>(bytes) / static_cast<double>(s.outputs * s.inputs));
}

void bench_float(const FloatLinearKernel& kernel, const Shape& s, double peak) {
  std::vector<float> w(s.outputs * s.inputs, 0.5F);
  std::vector<float> x(s.rows * s.inputs, 0.25F);
  std::vector<float> y(s.rows * s.outputs);
  const std::vector<float> bias(s.outputs + 64);
  const auto packed = aligned(kernel.packed_bytes(s.outputs, s.inputs));
  kernel.pack(w.data(), s.outputs, s.inputs, packed.get());
  const PackedFloat p{packed.get(), s.outputs, s.inputs, bias.data()};
  const FloatLinearArgs args{x.data(), s.inputs, s.rows, &p, y.data(), s.outputs, Epilogue::none};
  const double gflops =
      2e-9 * static_cast<double>(s.rows * s.outputs * s.inputs) / best_seconds([&] { kernel.run(args); });
  std::printf("%-40s %3zu x %4zu x %4zu      %7.1f GFLOP/s %5.1f %% of a quarter of the integer peak\n", kernel.name,
              s.rows, s.outputs, s.inputs, gflops, 400.0 * gflops / peak);
}

void bench_attention(const RowKernels& kernel, size_t length, size_t head_width, size_t queries) {
  const size_t stride = 1152;
  std::vector<float> qkv(length * stride);
  for (auto& v : qkv) v = static_cast<float>(random_bits() % 2001) * 0.001F - 1.0F;
  std::vector<float> y(length * 384);
  const auto scratch = aligned(kernel.attention_scratch_bytes(length, head_width));
  const double seconds = best_seconds([&] {
    for (size_t first = 0; first < length; first += queries) {
      for (size_t head = 0; head < 384 / head_width; ++head) {
        const float* q = qkv.data() + head * head_width;
        const size_t count = std::min(queries, length - first);
        kernel.attention({q, q + 384, q + 768, stride, stride, stride, length, head_width, first, count, 0.2F,
                          y.data() + first * 384 + head * head_width, 384, scratch.get()});
      }
    }
  });
  std::printf("%-40s attention length %4zu, width %2zu: %7.1f GFLOP/s\n", kernel.name, length, head_width,
              4e-9 * static_cast<double>(length * length * 384) / seconds);
}

void bench_rows(const RowKernels& kernel) {
  constexpr size_t kRows = 64;
  constexpr size_t kWidth = 1536;
  std::vector<float> x(kRows * kWidth);
  for (auto& v : x) v = static_cast<float>(random_bits() % 2001) * 0.001F - 1.0F;
  std::vector<float> y(x);
  std::vector<uint8_t> u8(x.size());
  std::vector<float> scales(kRows);
  std::vector<int32_t> zeros(kRows);
  const auto report = [&](const char* what, double seconds) {
    std::printf("%-40s %-16s %6.2f values/ns\n", kernel.name, what, static_cast<double>(x.size()) / seconds * 1e-9);
  };
  report("quantize", best_seconds([&] {
           kernel.quantize(x.data(), kWidth, kRows, kWidth, u8.data(), kWidth, scales.data(), zeros.data());
         }));
  report("add_layer_norm", best_seconds([&] {
           kernel.add_layer_norm(x.data(), kWidth, x.data(), kWidth, kRows, kWidth, x.data(), x.data(), 1e-12F,
                                 y.data(), kWidth);
         }));
  for (const auto& [kind, name] : {std::pair{Epilogue::gelu, "gelu"}, std::pair{Epilogue::gelu_tanh, "gelu_tanh"},
                                   std::pair{Epilogue::silu, "silu"}, std::pair{Epilogue::tanh, "tanh"}}) {
    report(name, best_seconds(
                     [&, kind = kind] { kernel.activate(kind, x.data(), kWidth, kRows, kWidth, y.data(), kWidth); }));
  }
  for (const size_t length : {16, 32, 128, 512}) bench_attention(kernel, length, 32, 64);
  bench_attention(kernel, 128, 64, 64);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string wanted = argc > 1 ? argv[1] : "";
  const auto usable = [&](const char* name, Isa isa) {
    return isa <= lathe::detect_isa() && std::string(name).find(wanted) != std::string::npos;
  };
  const double peak = lathe::detect_isa() == Isa::avx512vnni ? vnni_peak() : 100.0;
  std::printf("vpdpbusd peak of one core: %.0f GOPS\n", peak);
  for (const auto* kernel : integer_linear_kernels()) {
    if (!usable(kernel->name, kernel->isa) || (kernel->needs_vbmi2 && !lathe::has_vbmi2())) continue;
    for (const Shape& shape : kShapes) bench_integer(*kernel, shape, peak, Epilogue::none);
    bench_integer(*kernel, kShapes[1], peak, Epilogue::gelu);
  }
  for (const auto* kernel : float_linear_kernels()) {
    if (!usable(kernel->name, kernel->isa)) continue;
    for (const Shape& shape : kShapes) bench_float(*kernel, shape, peak);
  }
  for (const auto* kernel : row_kernels()) {
    if (usable(kernel->name, kernel->isa)) bench_rows(*kernel);
  }
}
