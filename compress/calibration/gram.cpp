#include "compress/calibration/gram.h"

#include <algorithm>
#include <utility>

#include "compress/methods/linalg.h"

namespace lathe {
namespace {

constexpr size_t kTile = 128;  // rows of the result that one thread computes at a time; fixed, so that bits do not move

// Adds y^T x to sum [width, width]; with y == x only its upper triangle.
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

class CpuMomentSum : public MomentSum {
 public:
  CpuMomentSum(ThreadPool& pool, size_t width) : pool_(pool), width_(width), sum_(width * width, 0.0) {}

  void add(const float* y, const float* x, size_t rows) override {
    if (y != x) mirror();
    add_gram(pool_, y, x, rows, width_, sum_.data());
    upper_alone_ = y == x;
  }
  std::unique_ptr<MomentSum> copy() const override {
    auto other = std::make_unique<CpuMomentSum>(*this);
    other->mirror();
    return other;
  }
  std::vector<double> take() override {
    mirror();
    return std::move(sum_);
  }

 private:
  // Copies the upper triangle onto the lower one, where only the upper one is up to date.
  void mirror() {
    if (!std::exchange(upper_alone_, false)) return;
    auto square = view(sum_.data(), width_, width_);
    square.triangularView<Eigen::StrictlyLower>() = square.transpose();
  }

  ThreadPool& pool_;
  size_t width_;
  std::vector<double> sum_;
  bool upper_alone_ = false;
};

}  // namespace

MakeMomentSum cpu_moment_sums(ThreadPool& pool) {
  return [&pool](size_t width) { return std::make_unique<CpuMomentSum>(pool, width); };
}

}  // namespace lathe
