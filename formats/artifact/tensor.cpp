#include "formats/artifact/tensor.h"

#include <array>

#include "formats/artifact/half.h"

namespace lathe {
namespace {

struct DTypeRow {
  const char* name;
  uint32_t bytes;
  bool is_float;
};
constexpr std::array<DTypeRow, 13> kDTypes = {{{"f32", 4, true},
                                               {"f16", 2, true},
                                               {"bf16", 2, true},
                                               {"f64", 8, true},
                                               {"i8", 1, false},
                                               {"i16", 2, false},
                                               {"i32", 4, false},
                                               {"i64", 8, false},
                                               {"u8", 1, false},
                                               {"u16", 2, false},
                                               {"u32", 4, false},
                                               {"u64", 8, false},
                                               {"bool", 1, false}}};

template <class Stored, class Convert>
std::vector<float> convert(Bytes bytes, Convert to_float) {
  std::vector<float> out(bytes.size() / sizeof(Stored));
  for (size_t i = 0; i < out.size(); ++i) out[i] = to_float(load_le<Stored>(bytes.data() + i * sizeof(Stored)));
  return out;
}

}  // namespace

const char* dtype_name(DType type) noexcept { return kDTypes[static_cast<size_t>(type)].name; }
uint32_t dtype_bytes(DType type) noexcept { return kDTypes[static_cast<size_t>(type)].bytes; }
bool is_float(DType type) noexcept { return kDTypes[static_cast<size_t>(type)].is_float; }

std::string shape_text(const Shape& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

uint64_t element_count(const Shape& shape, std::string_view what) {
  uint64_t count = 1;
  for (const uint64_t dim : shape) count = checked_mul(count, dim, what);
  return count;
}

std::vector<float> to_f32(const TensorView& tensor, std::string_view name) {
  switch (tensor.dtype) {
    case DType::f32:
      return convert<float>(tensor.bytes, [](float v) { return v; });
    case DType::f16:
      return convert<uint16_t>(tensor.bytes, f16_to_f32);
    case DType::bf16:
      return convert<uint16_t>(tensor.bytes, bf16_to_f32);
    case DType::f64:
      return convert<double>(tensor.bytes, [](double v) { return static_cast<float>(v); });
    default:
      fail(Errc::unsupported, message("tensor ", name, " has type ", dtype_name(tensor.dtype),
                                      ", expected a floating-point type (f32, f16, bf16, f64)"));
  }
}

}  // namespace lathe
