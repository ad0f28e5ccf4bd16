#include "runtime/cuda/moment_sum.h"

#include <algorithm>
#include <cstring>

#include "runtime/cuda/executor.h"
#include "runtime/cuda/launch.h"
#include "runtime/cuda/memory.h"

namespace lathe::cuda {
namespace {

constexpr size_t kPieceRows = 1024;  // rows that are uploaded and multiplied at a time

class DeviceMomentSum : public MomentSum {
 public:
  DeviceMomentSum(std::shared_ptr<Device> device, size_t width)
      : device_(std::move(device)),
        width_(width),
        sum_(*device_, width * width * sizeof(double), "second moments"),
        rows_(*device_, 2 * piece_bytes(), "activations of calibration"),
        staging_(*device_, 2 * piece_bytes(), "activations of calibration"),
        queue_(device_->make_queue()) {
    const size_t row_bytes = width * sizeof(double);
    std::memset(staging_.data(), 0, row_bytes);
    for (size_t row = 0; row < width; ++row) queue_->upload(sum_.data() + row * row_bytes, staging_.data(), row_bytes);
    queue_->wait();
  }

  void add(const float* y, const float* x, size_t rows) override {
    for (size_t first = 0; first < rows; first += kPieceRows) {
      add_piece(y + first * width_, x + first * width_, std::min(kPieceRows, rows - first));
    }
  }

  std::unique_ptr<MomentSum> copy() const override {
    auto other = std::make_unique<DeviceMomentSum>(device_, width_);
    other->queue_->copy(other->sum_.data(), sum_.data(), sum_.bytes());
    other->queue_->wait();
    return other;
  }

  std::vector<double> take() override {
    std::vector<double> sum(width_ * width_);
    const size_t at_once = std::max<size_t>(staging_.bytes() / sizeof(double), 1);
    for (size_t first = 0; first < sum.size(); first += at_once) {
      const size_t count = std::min(at_once, sum.size() - first);
      queue_->download(staging_.data(), sum_.data() + first * sizeof(double), count * sizeof(double));
      queue_->wait();
      std::memcpy(sum.data() + first, staging_.data(), count * sizeof(double));
    }
    return sum;
  }

 private:
  size_t piece_bytes() const { return kPieceRows * width_ * sizeof(float); }

  // Waits for the piece, whose staging memory the next one uses.
  void add_piece(const float* y, const float* x, size_t rows) {
    const size_t bytes = rows * width_ * sizeof(float);
    std::byte* const on_device[] = {rows_.data(), y == x ? rows_.data() : rows_.data() + piece_bytes()};
    const float* const from[] = {x, y};
    for (size_t i = 0; i < (y == x ? 1 : 2); ++i) {
      std::byte* const staging = staging_.data() + i * piece_bytes();
      std::memcpy(staging, from[i], bytes);
      queue_->upload(on_device[i], staging, bytes);
    }
    const unsigned blocks = blocks_for(width_, AddMoments::TileShape::kRows);
    launch<AddMoments>(
        *queue_, {blocks, blocks},
        {reinterpret_cast<const float*>(on_device[1]), reinterpret_cast<const float*>(on_device[0]),
         static_cast<uint32_t>(rows), static_cast<uint32_t>(width_), reinterpret_cast<double*>(sum_.data())});
    queue_->wait();
  }

  std::shared_ptr<Device> device_;
  size_t width_;
  DeviceMemory sum_;      // double [width, width]
  DeviceMemory rows_;     // x, then y where it is another
  PinnedMemory staging_;  // the same
  std::unique_ptr<Queue> queue_;
};

}  // namespace

std::unique_ptr<MomentSum> make_moment_sum(std::shared_ptr<Device> device, size_t width) {
  return std::make_unique<DeviceMomentSum>(std::move(device), width);
}

std::unique_ptr<MomentSum> make_moment_sum(size_t width) { return make_moment_sum(open_device(), width); }

}  // namespace lathe::cuda
