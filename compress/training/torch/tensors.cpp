#include "compress/training/torch/tensors.h"

#include <ATen/Parallel.h>

namespace lathe::training {

at::Tensor tensor_of(const std::vector<float>& values, at::IntArrayRef shape, const at::Device& device) {
  const at::Tensor view = at::from_blob(const_cast<float*>(values.data()), shape, at::kFloat);
  return view.clone().to(device);
}

at::Tensor decoded(const EncodedTensor& tensor, const at::Device& device) {
  const std::vector<int64_t> shape(tensor.shape.begin(), tensor.shape.end());
  return tensor_of(decode(tensor), shape, device);
}

std::vector<at::Tensor> decoded_weights(const std::vector<std::string>& names, const WeightLookup& lookup,
                                        const at::Device& device) {
  std::vector<at::Tensor> tensors;
  for (const std::string& name : names) tensors.push_back(decoded(lookup(name), device));
  return tensors;
}

std::vector<float> floats_of(const at::Tensor& tensor) {
  const at::Tensor plain = tensor.detach().to(at::kCPU, at::kFloat).contiguous();
  const auto* first = plain.data_ptr<float>();
  return {first, first + plain.numel()};
}

void use_one_thread() {
  if (at::get_num_threads() != 1) at::set_num_threads(1);
}

}  // namespace lathe::training
