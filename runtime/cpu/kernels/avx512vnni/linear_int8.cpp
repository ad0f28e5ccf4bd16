// Dense int8 linear for AVX-512 VNNI.

// These headers must be included in this order: each one uses what the ones before it define.
// clang-format off
#include "runtime/cpu/kernels/kernel.h"
#include "runtime/cpu/kernels/simd/simd_avx512.h"
#include "runtime/cpu/kernels/common/polynomial.inl.h"
#include "runtime/cpu/kernels/common/gelu.inl.h"
#include "runtime/cpu/kernels/common/activation.inl.h"
#include "runtime/cpu/kernels/avx512vnni/tile.inl.h"
// clang-format on

namespace lathe::kernels {

extern const IntegerLinearKernel kLinearInt8Avx512Vnni = {"linear_int8_avx512vnni",
                                                          Isa::avx512vnni,
                                                          IntegerFormat::int8_dense,
                                                          false,
                                                          supports_int8,
                                                          packed_bytes_int8,
                                                          pack_int8,
                                                          scratch_dense,
                                                          run_int8,
                                                          first_output};

}  // namespace lathe::kernels
