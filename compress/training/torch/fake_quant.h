#pragma once
// Training through rounding. Forward, weights are rounded to the grid on which they will be stored; backward, the
// rounding counts as the identity (straight-through estimator; Bengio et al., 2013). The row scales train too (LSQ;
// Esser et al., 2020).

#include "compress/training/torch/tensors.h"

namespace lathe::training {

/// The grid of one encoded weight [rows, cols]. Weights in float types have no grid: for them quantize() and backward()
/// are the identity, because their rounding is too small to train through. Immutable; safe to use by several threads.
class FakeQuantizer {
 public:
  /// Without a grid.
  FakeQuantizer() = default;
  FakeQuantizer(const EncodedTensor& tensor, const at::Device& device);

  /// Whether there is a grid, with row scales that can train.
  bool has_scales() const { return initial_.defined(); }
  /// The first value of the row scales' parameter, zeros [rows, 1]. The parameter is the natural logarithm of each
  /// row's scale over the scale it had at first.
  at::Tensor fresh_scales() const { return at::zeros_like(initial_); }

  /// `latent` [rows, cols] rounded to the grid that `log_scales` [rows, 1] give. The scales are first rounded to bf16,
  /// in which they are stored.
  at::Tensor quantize(const at::Tensor& latent, const at::Tensor& log_scales) const;

  struct Gradients {
    at::Tensor latent;      // [rows, cols]
    at::Tensor log_scales;  // [rows, 1]; undefined without a grid
  };
  /// The gradients of the arguments of quantize() from `gradient`, that of its result. No gradient reaches a latent
  /// value beyond the ends of the grid.
  Gradients backward(const at::Tensor& latent, const at::Tensor& log_scales, const at::Tensor& gradient) const;

  /// The row scales as they will be stored, [rows].
  std::vector<float> stored_scales(const at::Tensor& log_scales) const;

 private:
  at::Tensor scales(const at::Tensor& log_scales) const;
  at::Tensor steps(const at::Tensor& log_scales) const;

  at::Tensor initial_;      // row scales before training, [rows, 1]
  at::Tensor multipliers_;  // what the groups multiply the row scale with, [rows, cols]; undefined: all are 1
  double lowest_ = 0;       // ends of the grid, in steps
  double highest_ = 0;
};

}  // namespace lathe::training
