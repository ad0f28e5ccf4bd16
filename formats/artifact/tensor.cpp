#include "formats/artifact/tensor.h"

#include "formats/artifact/half.h"
#include "formats/artifact/named_values.h"

namespace lathe {
namespace {

struct DTypeRow {
  DType value;
  const char* name;
  uint32_t bytes;
  bool is_float;
};
constexpr EnumTable<DTypeRow, 13> kDTypes = {{{DType::f32, "f32", 4, true},
                                              {DType::f16, "f16", 2, true},
                                              {DType::bf16, "bf16", 2, true},
                                              {DType::f64, "f64", 8, true},
                                              {DType::i8, "i8", 1, false},
                                              {DType::i16, "i16", 2, false},
                                              {DType::i32, "i32", 4, false},
                                              {DType::i64, "i64", 8, false},
                                              {DType::u8, "u8", 1, false},
                                              {DType::u16, "u16", 2, false},
                                              {DType::u32, "u32", 4, false},
                                              {DType::u64, "u64", 8, false},
                                              {DType::boolean, "bool", 1, false}}};

template <class Stored, class Convert>
std::vector<float> convert(Bytes bytes, Convert to_float) {
  std::vector<float> out(bytes.size() / sizeof(Stored));
  for (size_t i = 0; i < out.size(); ++i) out[i] = to_float(load_le<Stored>(bytes.data() + i * sizeof(Stored)));
  return out;
}

}  // namespace

const char* dtype_name(DType type) noexcept { return kDTypes[type].name; }
uint32_t dtype_bytes(DType type) noexcept { return kDTypes[type].bytes; }
bool is_float(DType type) noexcept { return kDTypes[type].is_float; }

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
