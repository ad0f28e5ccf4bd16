#include "compress/training/torch/fake_quant.h"

#include "compress/methods/grid.h"

namespace lathe::training {
namespace {

// A group of zeros alone has steps of zero. Dividing by this instead and multiplying with the step gives zeros again.
constexpr double kTinyStep = 1e-30;

at::Tensor expanded_multipliers(const Grid& grid, size_t cols, const at::Device& device) {
  std::vector<float> values(grid.rows * cols);
  for (size_t r = 0; r < grid.rows; ++r) {
    for (size_t c = 0; c < cols; ++c) values[r * cols + c] = grid.multipliers[r * grid.groups + c / grid.group];
  }
  return tensor_of(values, {static_cast<int64_t>(grid.rows), static_cast<int64_t>(cols)}, device);
}

}  // namespace

FakeQuantizer::FakeQuantizer(const EncodedTensor& tensor, const at::Device& device) {
  const Grid grid = grid_of(tensor);
  if (grid.groups == 0) return;
  lowest_ = grid.lowest;
  highest_ = grid.highest;
  initial_ = tensor_of(grid.row_scales, {static_cast<int64_t>(grid.rows), 1}, device);
  if (value_codec(tensor.encoding.values).grouped) multipliers_ = expanded_multipliers(grid, tensor.cols(), device);
}

at::Tensor FakeQuantizer::scales(const at::Tensor& log_scales) const {
  return (initial_ * log_scales.exp()).to(at::kBFloat16).to(at::kFloat);
}

at::Tensor FakeQuantizer::steps(const at::Tensor& log_scales) const {
  const at::Tensor scale = scales(log_scales);
  return multipliers_.defined() ? scale * multipliers_ : scale;
}

at::Tensor FakeQuantizer::quantize(const at::Tensor& latent, const at::Tensor& log_scales) const {
  if (!has_scales()) return latent;
  const at::Tensor step = steps(log_scales);
  return (latent / step.clamp_min(kTinyStep)).round_().clamp_(lowest_, highest_).mul_(step);
}

FakeQuantizer::Gradients FakeQuantizer::backward(const at::Tensor& latent, const at::Tensor& log_scales,
                                                 const at::Tensor& gradient) const {
  if (!has_scales()) return {gradient, {}};
  const at::Tensor step = steps(log_scales);
  const at::Tensor exact = latent / step.clamp_min(kTinyStep);
  const at::Tensor inside = at::logical_and(exact >= lowest_ - 0.5, exact <= highest_ + 0.5).to(at::kFloat);
  // The derivative of step * q by the step, q being exact rounded and clamped: q - exact inside the grid, where the
  // rounding counts as the identity, and q, which is an end of the grid, outside.
  at::Tensor slope = exact.round().clamp_(lowest_, highest_).sub_(exact * inside);
  return {gradient * inside, slope.mul_(gradient).mul_(step).sum(1, true)};
}

std::vector<float> FakeQuantizer::stored_scales(const at::Tensor& log_scales) const {
  return floats_of(scales(log_scales));
}

}  // namespace lathe::training
