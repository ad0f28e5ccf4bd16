#include "runtime/cuda/packing.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "formats/artifact/bytes.h"

namespace lathe::cuda {
namespace {

constexpr uint64_t kRowAlignment = 16;
constexpr uint32_t kGroupUnit = 32;  // columns of int4 that a kernel multiplies at a time

bool is_sparse(const EncodedTensor& tensor) { return tensor.encoding.sparsity == Sparsity::bitmask; }

// The value types that kernels read as the file has them; another type is decoded when it is uploaded.
struct NativeFormat {
  ValueType values;
  Format dense;
  Format masked;  // floats lose their mask
};
constexpr std::array kNativeFormats = {
    NativeFormat{ValueType::f32, Format::f32, Format::f32},
    NativeFormat{ValueType::f16, Format::f16, Format::f16},
    NativeFormat{ValueType::bf16, Format::bf16, Format::bf16},
    NativeFormat{ValueType::int8, Format::int8, Format::int8_bitmask},
    NativeFormat{ValueType::int4, Format::int4, Format::int4_bitmask},
};

// Null where the values have to be decoded.
const NativeFormat* native_format(const EncodedTensor& tensor) {
  const bool odd_groups = tensor.encoding.group % kGroupUnit != 0 && !is_sparse(tensor);
  for (const NativeFormat& native : kNativeFormats) {
    if (native.values == tensor.encoding.values) return odd_groups ? nullptr : &native;
  }
  return nullptr;
}

bool keeps_values(const EncodedTensor& tensor) { return native_format(tensor) != nullptr; }

bool is_kept(const EncodedTensor& tensor, uint64_t row, uint64_t column) {
  const uint64_t row_bytes = ceil_div(tensor.cols(), 8);
  const auto bits = std::to_integer<unsigned>(tensor.plane(Plane::mask)[row * row_bytes + column / 8]);
  return (bits >> (column % 8) & 1) != 0;
}

uint64_t bytes_of_row(Format format, uint64_t columns) {
  switch (format) {
    case Format::f32:
      return round_up(columns * 4, kRowAlignment);
    case Format::f16:
    case Format::bf16:
      return round_up(columns * 2, kRowAlignment);
    case Format::int8:
      return round_up(columns, kRowAlignment);
    case Format::int4:
      return round_up(ceil_div(columns, 2), kRowAlignment);
    case Format::int8_bitmask:
    case Format::int4_bitmask:
      return 0;
  }
  return 0;  // not reached: every format returns
}

// A row of floats without its mask.
void spread_floats(const EncodedTensor& tensor, uint64_t row, const std::byte* from, std::byte* to) {
  const uint64_t size = value_codec(tensor.encoding.values).bits / 8;
  for (uint64_t column = 0; column < tensor.cols(); ++column) {
    if (!is_kept(tensor, row, column)) continue;
    std::memcpy(to + column * size, from, size);
    from += size;
  }
}

// A row whose values the device does not take as the file has them is decoded: integers to int8, floats to f32.
void pack_dense_row(const EncodedTensor& tensor, uint64_t row, uint64_t row_start, std::byte* to) {
  const std::byte* from = tensor.plane(Plane::values).data() + row_start;
  if (!keeps_values(tensor)) {
    if (value_codec(tensor.encoding.values).integer) {
      decode_row_integers(tensor, row, row_start, reinterpret_cast<int8_t*>(to));
    } else {
      decode_row(tensor, row, row_start, reinterpret_cast<float*>(to));
    }
  } else if (is_sparse(tensor)) {
    spread_floats(tensor, row, from, to);
  } else {
    std::memcpy(to, from, packed_bytes(tensor.encoding.values, tensor.cols()));
  }
}

void pack_multipliers(const EncodedTensor& tensor, uint64_t row, std::vector<uint8_t>& multipliers) {
  for (uint64_t column = 0; column < tensor.cols(); column += tensor.encoding.group) {
    multipliers.push_back(static_cast<uint8_t>(group_scale(tensor, row, column)));
  }
}

void pack_mask(const EncodedTensor& tensor, uint64_t row, std::vector<uint32_t>& mask) {
  const uint64_t row_bytes = ceil_div(tensor.cols(), 8);
  const std::byte* from = tensor.plane(Plane::mask).data() + row * row_bytes;
  for (uint64_t first = 0; first < row_bytes; first += 4) {
    uint32_t word = 0;
    for (uint64_t i = first; i < std::min(first + 4, row_bytes); ++i) {
      word |= std::to_integer<uint32_t>(from[i]) << (8 * (i - first));
    }
    mask.push_back(word);
  }
}

}  // namespace

Format device_format(const EncodedTensor& tensor) {
  const NativeFormat* native = native_format(tensor);
  if (native != nullptr) return is_sparse(tensor) ? native->masked : native->dense;
  return value_codec(tensor.encoding.values).integer ? Format::int8 : Format::f32;
}

WeightView describe(const EncodedTensor& tensor) {
  WeightView view{};
  view.format = device_format(tensor);
  view.outputs = static_cast<uint32_t>(tensor.rows());
  view.inputs = static_cast<uint32_t>(tensor.cols());
  view.row_bytes = bytes_of_row(view.format, tensor.cols());
  if (view.format == Format::int4 || view.format == Format::int4_bitmask) {
    view.group = tensor.encoding.group;
    view.groups = static_cast<uint32_t>(group_count(tensor.encoding, tensor.cols()));
  }
  return view;
}

uint64_t packed_value_bytes(const EncodedTensor& tensor) {
  const uint64_t row_bytes = describe(tensor).row_bytes;
  return row_bytes == 0 ? tensor.plane(Plane::values).size() : row_bytes * tensor.rows();
}

PackedWeight pack(const EncodedTensor& tensor, const std::vector<uint64_t>& starts, uint64_t first, uint64_t end) {
  const WeightView view = describe(tensor);
  const bool keeps_mask = view.format == Format::int8_bitmask || view.format == Format::int4_bitmask;
  PackedWeight packed;
  if (keeps_mask) {
    const Bytes values = tensor.plane(Plane::values);
    packed.values.assign(values.begin(), values.end());
    packed.row_starts.assign(starts.begin(), starts.end() - 1);
  } else {
    packed.values.assign((end - first) * view.row_bytes, std::byte{0});
  }
  for (uint64_t row = first; row < end; ++row) {
    if (value_codec(tensor.encoding.values).integer) packed.row_scales.push_back(row_scale(tensor, row));
    if (view.group != 0) pack_multipliers(tensor, row, packed.multipliers);
    if (keeps_mask) {
      pack_mask(tensor, row, packed.mask);
    } else {
      pack_dense_row(tensor, row, starts[row], packed.values.data() + (row - first) * view.row_bytes);
    }
  }
  return packed;
}

}  // namespace lathe::cuda
