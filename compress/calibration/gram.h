#pragma once
// Sums the second moments of activations.

#include "runtime/threads.h"

namespace lathe {

/// Adds y^T x to sum [width, width], for y and x [rows, width], row-major. The products are summed in float over these
/// rows and in double over calls: pass a few thousand rows at a time. With y == x only the upper triangle is added;
/// call mirror() after the last rows. The result does not depend on the number of threads.
void add_gram(ThreadPool& pool, const float* y, const float* x, size_t rows, size_t width, double* sum);
/// Copies the upper triangle onto the lower one.
void mirror(size_t width, double* gram);

}  // namespace lathe
