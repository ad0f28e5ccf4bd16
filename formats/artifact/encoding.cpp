#include "formats/artifact/encoding.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "formats/artifact/half.h"
#include "formats/artifact/named_values.h"

namespace lathe {
namespace {

constexpr NamedValues<Plane, kPlanes> kPlaneNames = {{{Plane::values, "values"},
                                                      {Plane::row_scales, "row_scales"},
                                                      {Plane::group_scales, "group_scales"},
                                                      {Plane::mask, "mask"}}};
constexpr NamedValues<Sparsity, 2> kSparsityNames = {{{Sparsity::dense, "dense"}, {Sparsity::bitmask, "bitmask"}}};

bool is_sparse(const EncodedTensor& t) { return t.encoding.sparsity == Sparsity::bitmask; }

bool is_kept(Bytes mask_row, uint64_t col) {
  return ((std::to_integer<unsigned>(mask_row[col / 8]) >> (col % 8)) & 1u) != 0;
}

Bytes mask_row(const EncodedTensor& t, uint64_t row) {
  const uint64_t row_bytes = ceil_div(t.cols(), 8);
  return t.plane(Plane::mask).subspan(row * row_bytes, row_bytes);
}

uint64_t count_kept(const EncodedTensor& t, uint64_t row) {
  if (!is_sparse(t)) return t.cols();
  uint64_t kept = 0;
  for (const std::byte byte : mask_row(t, row)) {
    kept += static_cast<uint64_t>(std::popcount(std::to_integer<uint8_t>(byte)));
  }
  return kept;
}

// The stored values of a row stand at its end; moves each to its column and puts zeros between them.
template <class T>
void spread(const EncodedTensor& t, uint64_t row, uint64_t kept, T* out) {
  if (!is_sparse(t)) return;
  const Bytes mask = mask_row(t, row);
  uint64_t next = t.cols() - kept;
  for (uint64_t col = 0; col < t.cols(); ++col) out[col] = is_kept(mask, col) ? out[next++] : T{0};
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
  constexpr uint64_t kAtOnce = 1024;
  const ValueCodec& codec = value_codec(t.encoding.values);
  const uint64_t size = codec.bits / 8;
  const Bytes values = t.plane(Plane::values);
  const uint64_t count = values.size() / size;
  std::array<float, kAtOnce> some;
  for (uint64_t first = 0; first < count; first += kAtOnce) {
    const uint64_t taken = std::min(kAtOnce, count - first);
    codec.load_floats(values.data() + first * size, taken, some.data());
    const auto end = some.begin() + static_cast<std::ptrdiff_t>(taken);
    const auto bad = std::find_if(some.begin(), end, [](float value) { return !std::isfinite(value); });
    if (bad == end) continue;
    const uint64_t at = (first + static_cast<uint64_t>(bad - some.begin())) * size;
    fail(Errc::malformed, message("tensor ", name, ": plane values has a non-finite number at offset ", at));
  }
}

}  // namespace

uint64_t EncodedTensor::bytes() const {
  uint64_t total = 0;
  for (const Bytes plane : planes) total += plane.size();
  return total;
}

EncodedBuffer f32_buffer(Shape shape, const std::vector<float>& values) {
  EncodedBuffer buffer{{}, std::move(shape), {}};
  const Bytes bytes = as_bytes_of(values);
  buffer.plane(Plane::values).assign(bytes.begin(), bytes.end());
  return buffer;
}

EncodedTensor EncodedBuffer::view() const {
  EncodedTensor tensor{encoding, shape, {}};
  for (size_t i = 0; i < kPlanes; ++i) tensor.planes[i] = planes[i];
  return tensor;
}

const char* plane_name(Plane plane) { return kPlaneNames.name(plane); }

std::string encoding_name(const Encoding& encoding) {
  std::string name = value_codec(encoding.values).name;
  if (encoding.group != 0) name += message("/", encoding.group);
  return encoding.sparsity == Sparsity::dense ? name : message(name, "+", kSparsityNames.name(encoding.sparsity));
}

bool is_known(const Encoding& encoding) {
  const bool known = static_cast<size_t>(encoding.values) < value_codecs().size() &&
                     static_cast<size_t>(encoding.sparsity) < kSparsityNames.rows().size();
  return known && value_codec(encoding.values).grouped == (encoding.group != 0);
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
  if (is_sparse(t)) {
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
  for (uint64_t row = 0; row < t.rows(); ++row) {
    starts[row + 1] = starts[row] + packed_bytes(t.encoding.values, count_kept(t, row));
  }
  return starts;
}

int group_scale(const EncodedTensor& t, uint64_t row, uint64_t col) {
  if (t.encoding.group == 0) return 1;
  const uint64_t row_bytes = ceil_div(group_count(t.encoding, t.cols()), 2);
  const uint64_t group = col / t.encoding.group;
  const auto both = std::to_integer<unsigned>(t.plane(Plane::group_scales)[row * row_bytes + group / 2]);
  return static_cast<int>(group % 2 == 0 ? both & 15u : both >> 4);
}

float row_scale(const EncodedTensor& t, uint64_t row) {
  return bf16_to_f32(load_le<uint16_t>(t.plane(Plane::row_scales).data() + row * 2));
}

void decode_row_integers(const EncodedTensor& t, uint64_t row, uint64_t row_start, int8_t* out) {
  const uint64_t kept = count_kept(t, row);
  const std::byte* packed = t.plane(Plane::values).data() + row_start;
  value_codec(t.encoding.values).load_integers(packed, kept, out + (t.cols() - kept));
  spread(t, row, kept, out);
  for (uint64_t first = 0; t.encoding.group != 0 && first < t.cols(); first += t.encoding.group) {
    const int scale = group_scale(t, row, first);
    const uint64_t end = std::min<uint64_t>(first + t.encoding.group, t.cols());
    for (uint64_t col = first; col < end; ++col) out[col] = static_cast<int8_t>(out[col] * scale);
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
  const uint64_t kept = count_kept(t, row);
  const std::byte* packed = t.plane(Plane::values).data() + row_start;
  value_codec(t.encoding.values).load_floats(packed, kept, out + (t.cols() - kept));
  spread(t, row, kept, out);
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
