#pragma once
// Element types as PyTorch names them.

#include <cstdint>
#include <string_view>

#include "formats/artifact/tensor.h"

namespace lathe {

/// Some types have no DType: their tensors are checked but cannot be read.
struct TorchType {
  std::string_view name;     // of the attribute of the module torch: "float32"
  std::string_view storage;  // what torch.save writes instead where it can: "FloatStorage"; empty where there is none
  uint32_t bytes = 0;        // of one element
  bool readable = false;
  DType dtype = DType::f32;  // where readable
};

/// nullptr when PyTorch has no such type. Rows of a static table.
const TorchType* find_torch_type(std::string_view name);
const TorchType* find_torch_storage(std::string_view storage);
/// The type of a storage that is bytes and nothing else.
const TorchType& torch_byte_type();

}  // namespace lathe
