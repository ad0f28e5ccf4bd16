#include "compress/calibration/gram.h"

#include <algorithm>

#include "compress/methods/linalg.h"

namespace lathe {
namespace {

constexpr size_t kTile = 128;  // rows of the result that one thread computes at a time; fixed, so that bits do not move

}  // namespace

void add_gram(ThreadPool& pool, const float* y, const float* x, size_t rows, size_t width, double* sum) {
  const size_t tiles = (width + kTile - 1) / kTile;
  pool.parallel_for(tiles, [&](size_t tile, size_t) {
    const size_t first = tile * kTile;
    const size_t height = std::min(kTile, width - first);
    const size_t left = y == x ? first : 0;
    const size_t columns = width - left;
    const RowMajor<float> product =
        view(y + first, rows, height, width).transpose() * view(x + left, rows, columns, width);
    view(sum + first * width + left, height, columns, width) += product.cast<double>();
  });
}

void mirror(size_t width, double* gram) {
  auto square = view(gram, width, width);
  square.triangularView<Eigen::StrictlyLower>() = square.transpose();
}

}  // namespace lathe
