#include "formats/pytorch/torch_types.h"

#include <algorithm>
#include <array>

namespace lathe {
namespace {

constexpr TorchType readable(std::string_view name, std::string_view storage, uint32_t bytes, DType dtype) {
  return {name, storage, bytes, true, dtype};
}
constexpr TorchType other(std::string_view name, std::string_view storage, uint32_t bytes) {
  return {name, storage, bytes, false, DType::f32};
}

constexpr std::array kTypes = {
    readable("float32", "FloatStorage", 4, DType::f32),
    readable("float16", "HalfStorage", 2, DType::f16),
    readable("bfloat16", "BFloat16Storage", 2, DType::bf16),
    readable("float64", "DoubleStorage", 8, DType::f64),
    readable("int8", "CharStorage", 1, DType::i8),
    readable("int16", "ShortStorage", 2, DType::i16),
    readable("int32", "IntStorage", 4, DType::i32),
    readable("int64", "LongStorage", 8, DType::i64),
    readable("uint8", "ByteStorage", 1, DType::u8),
    readable("uint16", "", 2, DType::u16),
    readable("uint32", "", 4, DType::u32),
    readable("uint64", "", 8, DType::u64),
    readable("bool", "BoolStorage", 1, DType::boolean),
    other("complex32", "", 4),
    other("bcomplex32", "", 4),
    other("complex64", "ComplexFloatStorage", 8),
    other("complex128", "ComplexDoubleStorage", 16),
    other("qint8", "QInt8Storage", 1),
    other("quint8", "QUInt8Storage", 1),
    other("qint32", "QInt32Storage", 4),
    other("quint4x2", "QUInt4x2Storage", 1),
    other("quint2x4", "QUInt2x4Storage", 1),
    other("float8_e4m3fn", "", 1),
    other("float8_e5m2", "", 1),
    other("float8_e4m3fnuz", "", 1),
    other("float8_e5m2fnuz", "", 1),
    other("float8_e8m0fnu", "", 1),
    other("float4_e2m1fn_x2", "", 1),
    other("bits1x8", "", 1),
    other("bits2x4", "", 1),
    other("bits4x2", "", 1),
    other("bits8", "", 1),
    other("bits16", "", 2),
    other("int1", "", 1),
    other("int2", "", 1),
    other("int3", "", 1),
    other("int4", "", 1),
    other("int5", "", 1),
    other("int6", "", 1),
    other("int7", "", 1),
    other("uint1", "", 1),
    other("uint2", "", 1),
    other("uint3", "", 1),
    other("uint4", "", 1),
    other("uint5", "", 1),
    other("uint6", "", 1),
    other("uint7", "", 1),
};

template <class Key>
const TorchType* find_row(std::string_view wanted, Key key) {
  const auto* found = std::find_if(kTypes.begin(), kTypes.end(), [&](const TorchType& t) { return t.*key == wanted; });
  return wanted.empty() || found == kTypes.end() ? nullptr : found;
}

}  // namespace

const TorchType* find_torch_type(std::string_view name) { return find_row(name, &TorchType::name); }
const TorchType* find_torch_storage(std::string_view storage) { return find_row(storage, &TorchType::storage); }
const TorchType& torch_byte_type() { return *find_torch_type("uint8"); }

}  // namespace lathe
