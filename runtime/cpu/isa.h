#pragma once
// What the CPU can do.

#include <string>

#include "runtime/cpu/kernels/kernel.h"

namespace lathe {

using kernels::Isa;

/// "generic", "avx2", "avx512vnni"
const char* isa_name(Isa isa) noexcept;
/// Extensions that this CPU has and whose registers the operating system saves.
struct CpuFeatures {
  bool avx2 = false, fma = false, f16c = false;
  bool avx512f = false, avx512bw = false, avx512vl = false, avx512dq = false, avx512vnni = false;
};
CpuFeatures cpu_features() noexcept;
/// The highest level all of whose extensions are there: those that runtime/cpu/kernels/CMakeLists.txt compiles it with.
Isa best_isa(const CpuFeatures& cpu) noexcept;

/// The best level that this CPU and operating system support.
Isa detect_isa() noexcept;
/// AVX-512 VBMI2, which the bitmask kernels of avx512vnni want on top of their level.
bool has_vbmi2() noexcept;
/// detect_isa(), or the level that LATHE_ISA names. Throws Error{usage} when that is unknown or the CPU lacks it.
Isa chosen_isa();

}  // namespace lathe
