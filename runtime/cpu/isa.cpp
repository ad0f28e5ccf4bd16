#include "runtime/cpu/isa.h"

#include <cpuid.h>

#include <cstdlib>

#include "formats/artifact/error.h"
#include "formats/artifact/named_values.h"

namespace lathe {
namespace {

constexpr NamedValues<Isa, 3> kIsas = {
    {{Isa::generic, "generic"}, {Isa::avx2, "avx2"}, {Isa::avx512vnni, "avx512vnni"}}};

}  // namespace

const char* isa_name(Isa isa) noexcept { return kIsas.name(isa); }

Isa best_isa(const CpuFeatures& cpu) noexcept {
  if (!cpu.avx2 || !cpu.fma) return Isa::generic;
  if (cpu.avx512f && cpu.avx512bw && cpu.avx512vl && cpu.avx512dq && cpu.avx512vnni) return Isa::avx512vnni;
  return cpu.f16c ? Isa::avx2 : Isa::generic;
}

// __builtin_cpu_supports also asks the operating system (XCR0) whether it saves the registers. It does not know F16C
// under Clang 14; that extension uses the registers of AVX2, so its bit of CPUID is enough beside it.
CpuFeatures cpu_features() noexcept {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  const bool f16c = __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
  return {.avx2 = __builtin_cpu_supports("avx2") != 0,
          .fma = __builtin_cpu_supports("fma") != 0,
          .f16c = f16c,
          .avx512f = __builtin_cpu_supports("avx512f") != 0,
          .avx512bw = __builtin_cpu_supports("avx512bw") != 0,
          .avx512vl = __builtin_cpu_supports("avx512vl") != 0,
          .avx512dq = __builtin_cpu_supports("avx512dq") != 0,
          .avx512vnni = __builtin_cpu_supports("avx512vnni") != 0};
}

Isa detect_isa() noexcept { return best_isa(cpu_features()); }

bool has_vbmi2() noexcept { return __builtin_cpu_supports("avx512vbmi2") != 0; }

Isa chosen_isa() {
  const char* wanted = std::getenv("LATHE_ISA");
  if (wanted == nullptr || *wanted == '\0') return detect_isa();
  const std::optional<Isa> isa = kIsas.find(wanted);
  if (!isa) fail(Errc::usage, message("LATHE_ISA=", wanted, ": expected one of ", kIsas.list(", ")));
  if (*isa > detect_isa()) {
    fail(Errc::usage, message("LATHE_ISA=", wanted, ": this CPU supports up to ", isa_name(detect_isa())));
  }
  return *isa;
}

}  // namespace lathe
