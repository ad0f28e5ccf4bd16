#pragma once
// Names of tensors as the formats that hold them agree on.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lathe {

inline constexpr uint64_t kMaxTensors = 1'000'000;
inline constexpr size_t kMaxTensorName = 512;

/// Throws unless the name is fit for a tensor: Error{malformed} when it is empty or has control characters,
/// Error{limit} when it is longer than kMaxTensorName.
void check_tensor_name(std::string_view name, std::string_view path);

}  // namespace lathe
