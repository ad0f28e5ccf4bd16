#pragma once
// Tensors as they stand in a source checkpoint: a type, a shape and borrowed bytes.

#include <cstdint>
#include <string>
#include <vector>

#include "formats/artifact/bytes.h"

namespace lathe {

enum class DType : uint8_t { f32, f16, bf16, f64, i8, i16, i32, i64, u8, u16, u32, u64, boolean };

const char* dtype_name(DType type) noexcept;
/// Bytes of one element.
uint32_t dtype_bytes(DType type) noexcept;
bool is_float(DType type) noexcept;

/// Row-major dimensions, at most kMaxRank of them, each below kMaxDim.
using Shape = std::vector<uint64_t>;
inline constexpr size_t kMaxRank = 8;
inline constexpr uint64_t kMaxDim = uint64_t{1} << 48;

/// "[384, 1536]"
std::string shape_text(const Shape& shape);
/// Product of the dimensions; throws Error{malformed} on overflow.
uint64_t element_count(const Shape& shape, std::string_view what);

/// Non-owning: the bytes belong to a mapped file or a buffer that outlives the view. bytes.size() equals
/// element_count(shape) * dtype_bytes(dtype), checked where the view is made; any alignment.
struct TensorView {
  DType dtype = DType::f32;
  Shape shape;
  Bytes bytes;
};

/// Copies a float tensor (f32, f16, bf16, f64) to f32. Throws Error{unsupported} for other types.
std::vector<float> to_f32(const TensorView& tensor, std::string_view name);

}  // namespace lathe
