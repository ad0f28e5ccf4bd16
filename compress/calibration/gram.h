#pragma once
// Second moments of activations.

#include "runtime/threads.h"

namespace lathe {

/// sum += y^T x for y, x [rows, width] row-major, in float over these rows and then in double: call it with a few
/// thousand rows at a time. With y == x only the upper triangle is added; finish with mirror(). The result does not
/// depend on the number of threads.
void add_gram(ThreadPool& pool, const float* y, const float* x, size_t rows, size_t width, double* sum);
/// Copies the upper triangle onto the lower one.
void mirror(size_t width, double* gram);

}  // namespace lathe
