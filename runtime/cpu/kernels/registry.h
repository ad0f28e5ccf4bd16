#pragma once
// Every kernel there is, best first. Adding one is a file and a row in registry.cpp.

#include <span>

#include "runtime/cpu/kernels/kernel.h"

namespace lathe::kernels {

/// Ordered from the best ISA to generic; the first supported row of the wanted format wins.
std::span<const IntegerLinearKernel* const> integer_linear_kernels();
std::span<const FloatLinearKernel* const> float_linear_kernels();
std::span<const RowKernels* const> row_kernels();

}  // namespace lathe::kernels
