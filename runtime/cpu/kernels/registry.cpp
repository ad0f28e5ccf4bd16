#include "runtime/cpu/kernels/registry.h"

#include <array>

namespace lathe::kernels {

extern const IntegerLinearKernel kLinearInt8Avx512Vnni;
extern const IntegerLinearKernel kLinearInt8BitmaskVbmi2;
extern const IntegerLinearKernel kLinearInt8BitmaskAvx512Vnni;
extern const IntegerLinearKernel kLinearInt4Avx512Vnni;
extern const IntegerLinearKernel kLinearInt4BitmaskVbmi2;
extern const IntegerLinearKernel kLinearInt4BitmaskAvx512Vnni;
extern const IntegerLinearKernel kLinearInt8Avx2;
extern const IntegerLinearKernel kLinearInt8BitmaskAvx2;
extern const IntegerLinearKernel kLinearInt4Avx2;
extern const IntegerLinearKernel kLinearInt4BitmaskAvx2;
extern const IntegerLinearKernel kLinearInt8Generic;
extern const IntegerLinearKernel kLinearInt8BitmaskGeneric;
extern const IntegerLinearKernel kLinearInt4Generic;
extern const IntegerLinearKernel kLinearInt4BitmaskGeneric;
extern const FloatLinearKernel kLinearF32Avx512Vnni;
extern const FloatLinearKernel kLinearF32Avx2;
extern const FloatLinearKernel kLinearF32Generic;
extern const RowKernels kRowsAvx512Vnni;
extern const RowKernels kRowsAvx2;
extern const RowKernels kRowsGeneric;

std::span<const IntegerLinearKernel* const> integer_linear_kernels() {
  static constexpr std::array kKernels = {
      &kLinearInt8Avx512Vnni,  &kLinearInt8BitmaskVbmi2,  &kLinearInt8BitmaskAvx512Vnni,
      &kLinearInt4Avx512Vnni,  &kLinearInt4BitmaskVbmi2,  &kLinearInt4BitmaskAvx512Vnni,
      &kLinearInt8Avx2,        &kLinearInt8BitmaskAvx2,   &kLinearInt4Avx2,
      &kLinearInt4BitmaskAvx2, &kLinearInt8Generic,       &kLinearInt8BitmaskGeneric,
      &kLinearInt4Generic,     &kLinearInt4BitmaskGeneric};
  return kKernels;
}

std::span<const FloatLinearKernel* const> float_linear_kernels() {
  static constexpr std::array kKernels = {&kLinearF32Avx512Vnni, &kLinearF32Avx2, &kLinearF32Generic};
  return kKernels;
}

std::span<const RowKernels* const> row_kernels() {
  static constexpr std::array kKernels = {&kRowsAvx512Vnni, &kRowsAvx2, &kRowsGeneric};
  return kKernels;
}

}  // namespace lathe::kernels
