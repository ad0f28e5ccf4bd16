#include "runtime/cpu/isa.h"

#include <array>
#include <cstdlib>

#include "formats/artifact/error.h"

namespace lathe {
namespace {

constexpr std::array<const char*, 3> kNames = {"generic", "avx2", "avx512vnni"};

}  // namespace

const char* isa_name(Isa isa) noexcept { return kNames[static_cast<size_t>(isa)]; }

// __builtin_cpu_supports also asks the operating system (XCR0) whether it saves the registers.
Isa detect_isa() noexcept {
  const bool avx512 = __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
                      __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
                      __builtin_cpu_supports("avx512vnni") != 0;
  if (avx512) return Isa::avx512vnni;
  return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 ? Isa::avx2 : Isa::generic;
}

bool has_vbmi2() noexcept { return __builtin_cpu_supports("avx512vbmi2") != 0; }

Isa chosen_isa() {
  const char* wanted = std::getenv("LATHE_ISA");
  if (wanted == nullptr || *wanted == '\0') return detect_isa();
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (std::string_view(wanted) != kNames[i]) continue;
    const auto isa = static_cast<Isa>(i);
    if (isa > detect_isa()) {
      fail(Errc::usage, message("LATHE_ISA=", wanted, ": this CPU supports up to ", isa_name(detect_isa())));
    }
    return isa;
  }
  fail(Errc::usage, message("LATHE_ISA=", wanted, ": expected generic, avx2 or avx512vnni"));
}

}  // namespace lathe
