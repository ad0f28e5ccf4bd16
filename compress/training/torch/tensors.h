#pragma once
// The one place that includes LibTorch; works with versions 1.13 and 2.x.

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include "formats/artifact/encoding.h"

namespace lathe::training {

/// The weights of a tensor in its own shape, f32.
at::Tensor decoded(const EncodedTensor& tensor, const at::Device& device);
/// A copy of `values` with that shape.
at::Tensor tensor_of(const std::vector<float>& values, at::IntArrayRef shape, const at::Device& device);
/// A copy, row-major f32.
std::vector<float> floats_of(const at::Tensor& tensor);

/// Threads are the engine's own, and each computes alone: to be called in a thread before it computes.
void use_one_thread();

}  // namespace lathe::training
