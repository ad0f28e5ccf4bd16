#pragma once
// What the CPU can do.

#include <string>

#include "runtime/cpu/kernels/kernel.h"

namespace lathe {

using kernels::Isa;

/// "generic", "avx2", "avx512vnni"
const char* isa_name(Isa isa) noexcept;
/// The best level that this CPU and operating system support.
Isa detect_isa() noexcept;
/// AVX-512 VBMI2, which the bitmask kernels of avx512vnni want on top of their level.
bool has_vbmi2() noexcept;
/// detect_isa(), or the level that LATHE_ISA names. Throws Error{usage} when that is unknown or the CPU lacks it.
Isa chosen_isa();

}  // namespace lathe
