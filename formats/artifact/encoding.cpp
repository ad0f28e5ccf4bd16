#include "formats/artifact/encoding.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "formats/artifact/half.h"

namespace lathe {
namespace {

constexpr std::array<ValueCodec, 5> kValueCodecs = {{{ValueType::f32, "f32", 32, false},
                                                     {ValueType::f16, "f16", 16, false},
                                                     {ValueType::bf16, "bf16", 16, false},
                                                     {ValueType::int8, "int8", 8, true},
                                                     {ValueType::int4, "int4", 4, true}}};
constexpr std::array<const char*, kPlanes> kPlaneNames = {"values", "row_scales", "group_scales", "mask"};

int nibble(Bytes plane, uint64_t byte, uint64_t index) {
  const auto both = std::to_integer<unsigned>(plane[byte + index / 2]);
  return static_cast<int>(index % 2 == 0 ? both & 15u : both >> 4);
}

float read_float(ValueType type, const std::byte* at) {
  if (type == ValueType::f32) return load_le<float>(at);
  const auto bits = load_le<uint16_t>(at);
  return type == ValueType::f16 ? f16_to_f32(bits) : bf16_to_f32(bits);
}

// One stored value, before scales: the `index`-th of the row that begins at `row_start`.
float stored_float(const EncodedTensor& t, uint64_t row_start, uint64_t index) {
  return read_float(t.encoding.values,
                    t.plane(Plane::values).data() + row_start + index * (value_codec(t.encoding.values).bits / 8));
}
int stored_integer(const EncodedTensor& t, uint64_t row_start, uint64_t index) {
  if (t.encoding.values == ValueType::int8) {
    return static_cast<int8_t>(t.plane(Plane::values)[row_start + index]);
  }
  const int bits = nibble(t.plane(Plane::values), row_start, index);
  return bits >= 8 ? bits - 16 : bits;
}

bool is_kept(const EncodedTensor& t, uint64_t row, uint64_t col) {
  if (t.encoding.sparsity == Sparsity::dense) return true;
  const auto byte = t.plane(Plane::mask)[row * ceil_div(t.cols(), 8) + col / 8];
  return ((std::to_integer<unsigned>(byte) >> (col % 8)) & 1u) != 0;
}

void check_plane_size(const EncodedTensor& t, const std::string& name, Plane plane, uint64_t expected) {
  const uint64_t actual = t.plane(plane).size();
  if (actual != expected) {
    fail(Errc::malformed, message("tensor ", name, ": plane ", plane_name(plane), " has ", actual, " bytes, ",
                                  encoding_name(t.encoding), " ", shape_text(t.shape), " needs ", expected));
  }
}

void check_mask_padding(const EncodedTensor& t, const std::string& name) {
  const uint64_t row_bytes = ceil_div(t.cols(), 8);
  if (t.cols() % 8 == 0) return;
  for (uint64_t row = 0; row < t.rows(); ++row) {
    const auto last = std::to_integer<unsigned>(t.plane(Plane::mask)[row * row_bytes + row_bytes - 1]);
    if ((last >> (t.cols() % 8)) != 0) {
      fail(Errc::malformed, message("tensor ", name, ": plane mask has bits set after the last column of row ", row));
    }
  }
}

void check_scales(const EncodedTensor& t, const std::string& name) {
  for (uint64_t row = 0; row < t.rows(); ++row) {
    const float scale = row_scale(t, row);
    if (!(scale > 0) || !std::isfinite(scale)) {
      fail(Errc::malformed, message("tensor ", name, ": plane row_scales has ", scale, " at row ", row,
                                    ", must be positive and finite"));
    }
  }
}

void check_values(const EncodedTensor& t, const std::string& name) {
  const uint64_t size = value_codec(t.encoding.values).bits / 8;
  const Bytes values = t.plane(Plane::values);
  for (uint64_t at = 0; at < values.size(); at += size) {
    if (!std::isfinite(read_float(t.encoding.values, values.data() + at))) {
      fail(Errc::malformed, message("tensor ", name, ": plane values has a non-finite number at offset ", at));
    }
  }
}

}  // namespace

uint64_t EncodedTensor::bytes() const {
  uint64_t total = 0;
  for (const Bytes plane : planes) total += plane.size();
  return total;
}

EncodedTensor EncodedBuffer::view() const {
  EncodedTensor tensor{encoding, shape, {}};
  for (size_t i = 0; i < kPlanes; ++i) tensor.planes[i] = planes[i];
  return tensor;
}

const ValueCodec& value_codec(ValueType type) { return kValueCodecs[static_cast<size_t>(type)]; }
const char* plane_name(Plane plane) { return kPlaneNames[static_cast<size_t>(plane)]; }

std::string encoding_name(const Encoding& encoding) {
  std::string name = value_codec(encoding.values).name;
  if (encoding.group != 0) name += "/" + std::to_string(encoding.group);
  return encoding.sparsity == Sparsity::bitmask ? name + "+bitmask" : name;
}

bool is_known(const Encoding& encoding) {
  const bool known =
      static_cast<size_t>(encoding.values) < kValueCodecs.size() && encoding.sparsity <= Sparsity::bitmask;
  return known && (encoding.values == ValueType::int4) == (encoding.group != 0);
}

uint64_t plane_bytes(const Encoding& encoding, uint64_t rows, uint64_t cols, Plane plane) {
  const bool integer = value_codec(encoding.values).integer;
  switch (plane) {
    case Plane::values:
      return checked_mul(rows, ceil_div(checked_mul(cols, value_codec(encoding.values).bits, "values"), 8), "values");
    case Plane::row_scales:
      return integer ? checked_mul(rows, 2, "row_scales") : 0;
    case Plane::group_scales:
      return encoding.group == 0 ? 0 : checked_mul(rows, ceil_div(group_count(encoding, cols), 2), "group_scales");
    case Plane::mask:
      return encoding.sparsity == Sparsity::dense ? 0 : checked_mul(rows, ceil_div(cols, 8), "mask");
  }
  return 0;
}

void validate(const EncodedTensor& t, const std::string& name) {
  if (t.shape.empty() || t.shape.size() > 2) {
    fail(Errc::malformed, message("tensor ", name, ": rank ", t.shape.size(), ", must be 1 or 2"));
  }
  for (const uint64_t dim : t.shape) {
    if (dim == 0 || dim >= kMaxDim) {
      fail(Errc::malformed, message("tensor ", name, ": dimension ", dim, ", must be in [1, 2^48)"));
    }
  }
  for (const Plane plane : {Plane::row_scales, Plane::group_scales, Plane::mask}) {
    check_plane_size(t, name, plane, plane_bytes(t.encoding, t.rows(), t.cols(), plane));
  }
  if (t.encoding.sparsity == Sparsity::bitmask) {
    check_mask_padding(t, name);
    check_plane_size(t, name, Plane::values, row_starts(t).back());
  } else {
    check_plane_size(t, name, Plane::values, plane_bytes(t.encoding, t.rows(), t.cols(), Plane::values));
  }
  if (value_codec(t.encoding.values).integer) {
    check_scales(t, name);
  } else {
    check_values(t, name);
  }
}

std::vector<uint64_t> row_starts(const EncodedTensor& t) {
  std::vector<uint64_t> starts(t.rows() + 1, 0);
  const uint64_t mask_row = ceil_div(t.cols(), 8);
  for (uint64_t row = 0; row < t.rows(); ++row) {
    uint64_t kept = t.cols();
    if (t.encoding.sparsity == Sparsity::bitmask) {
      kept = 0;
      for (const std::byte byte : t.plane(Plane::mask).subspan(row * mask_row, mask_row)) {
        kept += static_cast<uint64_t>(std::popcount(std::to_integer<uint8_t>(byte)));
      }
    }
    starts[row + 1] = starts[row] + packed_bytes(t.encoding.values, kept);
  }
  return starts;
}

int group_scale(const EncodedTensor& t, uint64_t row, uint64_t col) {
  if (t.encoding.values != ValueType::int4) return 1;
  const uint64_t row_bytes = ceil_div(group_count(t.encoding, t.cols()), 2);
  return nibble(t.plane(Plane::group_scales), row * row_bytes, col / t.encoding.group);
}

float row_scale(const EncodedTensor& t, uint64_t row) {
  return bf16_to_f32(load_le<uint16_t>(t.plane(Plane::row_scales).data() + row * 2));
}

void decode_row_integers(const EncodedTensor& t, uint64_t row, uint64_t row_start, int8_t* out) {
  uint64_t stored = 0;
  for (uint64_t col = 0; col < t.cols(); ++col) {
    out[col] = is_kept(t, row, col)
                   ? static_cast<int8_t>(stored_integer(t, row_start, stored++) * group_scale(t, row, col))
                   : int8_t{0};
  }
}

void decode_row(const EncodedTensor& t, uint64_t row, uint64_t row_start, float* out) {
  if (value_codec(t.encoding.values).integer) {
    std::vector<int8_t> integers(t.cols());
    decode_row_integers(t, row, row_start, integers.data());
    const float scale = row_scale(t, row);
    std::transform(integers.begin(), integers.end(), out, [scale](int8_t q) { return scale * static_cast<float>(q); });
    return;
  }
  uint64_t stored = 0;
  for (uint64_t col = 0; col < t.cols(); ++col) {
    out[col] = is_kept(t, row, col) ? stored_float(t, row_start, stored++) : 0.0f;
  }
}

std::vector<float> decode(const EncodedTensor& t) {
  const auto starts = row_starts(t);
  std::vector<float> out(t.rows() * t.cols());
  for (uint64_t row = 0; row < t.rows(); ++row) decode_row(t, row, starts[row], out.data() + row * t.cols());
  return out;
}

uint64_t count_zeros(const EncodedTensor& t) {
  const auto weights = decode(t);
  return static_cast<uint64_t>(std::count(weights.begin(), weights.end(), 0.0f));
}

}  // namespace lathe
