#include "runtime/cpu/isa.h"

#include <catch2/catch.hpp>

namespace lathe {
namespace {

constexpr CpuFeatures kAvx2 = {.avx2 = true, .fma = true, .f16c = true};
constexpr CpuFeatures kAvx512 = {.avx2 = true,
                                 .fma = true,
                                 .f16c = true,
                                 .avx512f = true,
                                 .avx512bw = true,
                                 .avx512vl = true,
                                 .avx512dq = true,
                                 .avx512vnni = true};

// The level with every extension of `all` but one.
Isa without(CpuFeatures all, bool CpuFeatures::*missing) {
  all.*missing = false;
  return best_isa(all);
}

}  // namespace

TEST_CASE("a level is chosen only where the CPU has every extension that its kernels are compiled with",
          "[runtime][cpu]") {
  CHECK(best_isa({}) == Isa::generic);
  CHECK(best_isa(kAvx2) == Isa::avx2);
  CHECK(best_isa(kAvx512) == Isa::avx512vnni);
  for (const auto missing : {&CpuFeatures::avx2, &CpuFeatures::fma, &CpuFeatures::f16c}) {
    CHECK(without(kAvx2, missing) == Isa::generic);
  }
  for (const auto missing : {&CpuFeatures::avx512f, &CpuFeatures::avx512bw, &CpuFeatures::avx512vl,
                             &CpuFeatures::avx512dq, &CpuFeatures::avx512vnni}) {
    CHECK(without(kAvx512, missing) == Isa::avx2);
  }
  CHECK(without(kAvx512, &CpuFeatures::avx2) == Isa::generic);
  CHECK(without(kAvx512, &CpuFeatures::fma) == Isa::generic);
}

TEST_CASE("the level of this machine follows from its extensions", "[runtime][cpu]") {
  CHECK(detect_isa() == best_isa(cpu_features()));
}

}  // namespace lathe
