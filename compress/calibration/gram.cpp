#include "compress/calibration/gram.h"

#include <cblas.h>

#include <algorithm>
#include <vector>

namespace lathe {
namespace {

constexpr size_t kTile = 128;  // rows of the result that one task computes; fixed, so that bits do not move

}  // namespace

void add_gram(ThreadPool& pool, const float* y, const float* x, size_t rows, size_t width, double* sum) {
  openblas_set_num_threads(1);
  const size_t tiles = (width + kTile - 1) / kTile;
  pool.parallel_for(tiles, [&](size_t tile, size_t) {
    const size_t first = tile * kTile;
    const size_t height = std::min(kTile, width - first);
    const size_t left = y == x ? first : 0;
    const size_t columns = width - left;
    std::vector<float> product(height * columns);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, static_cast<int>(height), static_cast<int>(columns),
                static_cast<int>(rows), 1.0f, y + first, static_cast<int>(width), x + left, static_cast<int>(width),
                0.0f, product.data(), static_cast<int>(columns));
    for (size_t i = 0; i < height; ++i) {
      double* to = sum + (first + i) * width + left;
      const float* from = product.data() + i * columns;
      for (size_t j = 0; j < columns; ++j) to[j] += from[j];
    }
  });
}

void mirror(size_t width, double* gram) {
  for (size_t i = 0; i < width; ++i) {
    for (size_t j = 0; j < i; ++j) gram[i * width + j] = gram[j * width + i];
  }
}

}  // namespace lathe
