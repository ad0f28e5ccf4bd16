#include "formats/hdf5/worker/element_type.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "formats/hdf5/worker/attributes.h"

namespace lathe::hdf5 {
namespace {

struct IntegerRow {
  size_t bytes;
  bool is_signed;
  DType dtype;
};
constexpr std::array<IntegerRow, 8> kIntegers = {{{1, true, DType::i8},
                                                  {2, true, DType::i16},
                                                  {4, true, DType::i32},
                                                  {8, true, DType::i64},
                                                  {1, false, DType::u8},
                                                  {2, false, DType::u16},
                                                  {4, false, DType::u32},
                                                  {8, false, DType::u64}}};

/// A binary floating-point type: the sign above the exponent above the mantissa, as IEEE 754 has them.
struct FloatRow {
  size_t bytes;
  size_t exponent_bits;
  size_t mantissa_bits;
  size_t bias;
  DType dtype;
};
constexpr std::array<FloatRow, 4> kFloats = {{{4, 8, 23, 127, DType::f32},
                                              {8, 11, 52, 1023, DType::f64},
                                              {2, 5, 10, 15, DType::f16},
                                              {2, 8, 7, 127, DType::bf16}}};

constexpr std::array<std::pair<H5T_class_t, const char*>, 10> kClasses = {{{H5T_TIME, "times"},
                                                                           {H5T_STRING, "texts"},
                                                                           {H5T_BITFIELD, "bit fields"},
                                                                           {H5T_OPAQUE, "opaque bytes"},
                                                                           {H5T_COMPOUND, "compound records"},
                                                                           {H5T_REFERENCE, "references"},
                                                                           {H5T_ENUM, "named values"},
                                                                           {H5T_VLEN, "lists of variable length"},
                                                                           {H5T_ARRAY, "arrays"},
                                                                           {H5T_INTEGER, "integers"}}};

const char* class_name(H5T_class_t type) {
  const auto found = std::find_if(kClasses.begin(), kClasses.end(), [&](const auto& row) { return row.first == type; });
  return found == kClasses.end() ? "elements of an unknown class" : found->second;
}

[[noreturn]] void fail_type(const std::string& what, const std::string& found) {
  fail(Errc::unsupported, message(what, " holds ", found, ", supported are floats of 16, 32 and 64 bits, integers ",
                                  "of 8 to 64 bits and booleans"));
}

/// The type `stored` would be with the bytes of this machine.
Handle native(hid_t stored, const std::string& what) {
  Handle type(checked(H5Tcopy(stored), what), H5Tclose);
  if (H5Tget_size(type.get()) > 1) checked(H5Tset_order(type.get(), H5T_ORDER_LE), what);
  return type;
}

ElementType integer_type(hid_t stored, const std::string& what) {
  const size_t bytes = H5Tget_size(stored);
  const bool is_signed = H5Tget_sign(stored) == H5T_SGN_2;
  const auto row = std::find_if(kIntegers.begin(), kIntegers.end(), [&](const IntegerRow& known) {
    return known.bytes == bytes && known.is_signed == is_signed;
  });
  const bool is_plain = H5Tget_precision(stored) == 8 * bytes && H5Tget_offset(stored) == 0;
  if (row == kIntegers.end() || !is_plain) fail_type(what, message("integers of ", H5Tget_precision(stored), " bits"));
  return {row->dtype, native(stored, what), {}};
}

ElementType float_type(hid_t stored, const std::string& what) {
  size_t sign = 0, exponent = 0, exponent_bits = 0, mantissa = 0, mantissa_bits = 0;
  checked(H5Tget_fields(stored, &sign, &exponent, &exponent_bits, &mantissa, &mantissa_bits), what);
  const size_t bytes = H5Tget_size(stored);
  const auto row = std::find_if(kFloats.begin(), kFloats.end(), [&](const FloatRow& known) {
    return known.bytes == bytes && known.exponent_bits == exponent_bits && known.mantissa_bits == mantissa_bits &&
           H5Tget_ebias(stored) == known.bias;
  });
  const bool is_plain =
      mantissa == 0 && exponent == mantissa_bits && sign == 8 * bytes - 1 && H5Tget_norm(stored) == H5T_NORM_IMPLIED;
  if (row == kFloats.end() || !is_plain) {
    fail_type(what, message("floats of ", 8 * bytes, " bits with ", exponent_bits, " bits of exponent"));
  }
  return {row->dtype, native(stored, what), {}};
}

/// What h5py makes of NumPy's booleans: FALSE and TRUE in one byte.
ElementType boolean_type(hid_t stored, const std::string& what) {
  bool is_boolean = H5Tget_size(stored) == 1 && H5Tget_nmembers(stored) == 2;
  for (const auto& [name, wanted] : {std::pair{"FALSE", 0}, std::pair{"TRUE", 1}}) {
    uint8_t value = 2;
    is_boolean = is_boolean && H5Tenum_valueof(stored, name, &value) >= 0 && value == wanted;
  }
  if (!is_boolean) fail_type(what, class_name(H5T_ENUM));
  return {DType::boolean, native(stored, what), {}};
}

/// Keras 3 stores bfloat16 as two opaque bytes and says so in an attribute.
ElementType opaque_type(hid_t dataset, hid_t stored, const std::string& what) {
  const std::vector<std::string> names = text_attribute(dataset, "dtype", what);
  const bool is_bf16 = H5Tget_size(stored) == 2 && names.size() == 1 && names.front() == "bfloat16";
  if (!is_bf16) fail_type(what, class_name(H5T_OPAQUE));
  return {DType::bf16, Handle(checked(H5Tcopy(stored), what), H5Tclose), {}};
}

}  // namespace

ElementType element_type(hid_t dataset, const std::string& what) {
  const Handle stored(checked(H5Dget_type(dataset), what), H5Tclose);
  const H5T_class_t type = checked(H5Tget_class(stored.get()), what);
  switch (type) {
    case H5T_INTEGER:
      return integer_type(stored.get(), what);
    case H5T_FLOAT:
      return float_type(stored.get(), what);
    case H5T_ENUM:
      return boolean_type(stored.get(), what);
    case H5T_OPAQUE:
      return opaque_type(dataset, stored.get(), what);
    case H5T_STRING:
    case H5T_COMPOUND:
      return {DType::f32, {}, class_name(type)};
    default:
      fail_type(what, class_name(type));
  }
}

}  // namespace lathe::hdf5
