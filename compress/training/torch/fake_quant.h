#pragma once
// Training through rounding: weights are rounded to their final grid on the way forward, and the rounding is taken for
// the identity on the way back (straight-through estimator; Bengio et al., 2013), with trainable row scales (LSQ; Esser
// et al., 2020).

#include "compress/training/torch/tensors.h"

namespace lathe::training {

/// The grid of one encoded weight [rows, cols]. Float types round to nothing that training would notice: for them all
/// of this is the identity.
class FakeQuantizer {
 public:
  FakeQuantizer() = default;
  FakeQuantizer(const EncodedTensor& tensor, const at::Device& device);

  bool has_scales() const { return initial_.defined(); }
  /// What trains: the logarithm of each row's scale over its first value, [rows, 1], zero to begin with.
  at::Tensor fresh_scales() const { return at::zeros_like(initial_); }

  /// `latent` rounded to the grid with these scales, which are first rounded to what can be stored.
  at::Tensor quantize(const at::Tensor& latent, const at::Tensor& log_scales) const;

  struct Gradients {
    at::Tensor latent;
    at::Tensor log_scales;
  };
  /// From the gradient of quantize()'s result: none passes where a weight is beyond the end of the grid.
  Gradients pull(const at::Tensor& latent, const at::Tensor& log_scales, const at::Tensor& gradient) const;

  /// The scales as they will be stored, [rows].
  std::vector<float> stored_scales(const at::Tensor& log_scales) const;

 private:
  at::Tensor scales(const at::Tensor& log_scales) const;
  at::Tensor steps(const at::Tensor& log_scales) const;

  at::Tensor initial_;      // [rows, 1]
  at::Tensor multipliers_;  // [rows, cols]; undefined: all 1
  double lowest_ = 0;
  double highest_ = 0;
};

}  // namespace lathe::training
