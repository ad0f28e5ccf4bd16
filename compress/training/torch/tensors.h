#pragma once
// The one place that includes LibTorch; works with versions 1.13 and 2.x.

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include "formats/artifact/encoding.h"
#include "runtime/model.h"

namespace lathe::training {

/// The values of an encoded tensor in its shape, f32.
at::Tensor decoded(const EncodedTensor& tensor, const at::Device& device);
/// The weights of these names, decoded, in this order.
std::vector<at::Tensor> decoded_weights(const std::vector<std::string>& names, const WeightLookup& lookup,
                                        const at::Device& device);
/// A copy of `values`, which are row-major, as a tensor of this shape.
at::Tensor tensor_of(const std::vector<float>& values, at::IntArrayRef shape, const at::Device& device);
/// A copy of the tensor's values in f32, row-major.
std::vector<float> floats_of(const at::Tensor& tensor);

/// Keeps LibTorch from starting threads of its own: the engine divides the work among its threads, and each of them
/// computes alone. To be called in every thread before it computes.
void use_one_thread();

}  // namespace lathe::training
