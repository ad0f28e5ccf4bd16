#include "compress/methods/encode.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "compress/methods/layer.h"
#include "formats/artifact/half.h"

namespace lathe {
namespace {

void append_u16(std::vector<std::byte>& plane, uint16_t bits) {
  plane.push_back(static_cast<std::byte>(bits & 0xffu));
  plane.push_back(static_cast<std::byte>(bits >> 8));
}

// Appends the stored values of rows to the planes of one encoding.
class RowEncoder {
 public:
  RowEncoder(const Grid& grid, EncodedBuffer& out)
      : grid_(grid), out_(out), codec_(value_codec(out.encoding.values)), cols_(out.shape.back()) {}

  void append(size_t grid_row, const float* values) {
    if (codec_.integer) append_scales(grid_row);
    if (is_sparse()) append_mask(values);
    std::vector<std::byte>& plane = out_.plane(Plane::values);
    const size_t begin = plane.size();
    if (codec_.integer) {
      const std::vector<int8_t> stored = integers(grid_row, values);
      plane.resize(begin + packed_bytes(codec_.type, stored.size()));
      codec_.store_integers(stored.data(), stored.size(), plane.data() + begin);
    } else {
      std::vector<float> stored;
      std::copy_if(values, values + cols_, std::back_inserter(stored), [&](float value) { return is_stored(value); });
      plane.resize(begin + packed_bytes(codec_.type, stored.size()));
      codec_.store_floats(stored.data(), stored.size(), plane.data() + begin);
    }
  }

 private:
  bool is_sparse() const { return out_.encoding.sparsity == Sparsity::bitmask; }
  bool is_stored(float value) const { return !is_sparse() || value != 0; }

  void append_scales(size_t row) {
    append_u16(out_.plane(Plane::row_scales), f32_to_bf16(grid_.row_scales[row]));
    if (!codec_.grouped) return;
    std::vector<std::byte>& plane = out_.plane(Plane::group_scales);
    const size_t begin = plane.size();
    plane.resize(begin + ceil_div(grid_.groups, 2));
    for (size_t g = 0; g < grid_.groups; ++g) {
      const unsigned multiplier = grid_.multipliers[row * grid_.groups + g];
      plane[begin + g / 2] |= static_cast<std::byte>(g % 2 == 0 ? multiplier : multiplier << 4);
    }
  }

  void append_mask(const float* values) {
    std::vector<std::byte>& plane = out_.plane(Plane::mask);
    const size_t begin = plane.size();
    plane.resize(begin + ceil_div(cols_, 8));
    for (size_t c = 0; c < cols_; ++c) {
      if (values[c] != 0) plane[begin + c / 8] |= static_cast<std::byte>(1u << (c % 8));
    }
  }

  std::vector<int8_t> integers(size_t row, const float* values) const {
    std::vector<int8_t> stored;
    stored.reserve(cols_);
    for (size_t c = 0; c < cols_; ++c) {
      if (!is_stored(values[c])) continue;
      const float inverse = grid_.inverse_steps[(c / grid_.group) * grid_.rows + row];
      stored.push_back(static_cast<int8_t>(std::lround(values[c] * inverse)));
    }
    return stored;
  }

  const Grid& grid_;
  EncodedBuffer& out_;
  const ValueCodec& codec_;
  size_t cols_;
};

void reserve(EncodedBuffer& out, uint64_t rows, uint64_t cols) {
  for (size_t plane = 0; plane < kPlanes; ++plane) {
    if (out.encoding.sparsity == Sparsity::bitmask && static_cast<Plane>(plane) == Plane::values) continue;
    out.planes[plane].reserve(plane_bytes(out.encoding, rows, cols, static_cast<Plane>(plane)));
  }
}

}  // namespace

EncodedBuffer encode(const Matrix& values, const Grid& grid, const Encoding& encoding) {
  EncodedBuffer out{encoding, {values.rows, values.cols}, {}};
  reserve(out, values.rows, values.cols);
  RowEncoder encoder(grid, out);
  for (size_t r = 0; r < values.rows; ++r) encoder.append(r, values.row(r));
  return out;
}

EncodedBuffer encode_vector(const std::vector<float>& values, const Encoding& encoding) {
  constexpr float kMaxHalf = 65504;
  const bool fits = std::all_of(values.begin(), values.end(), [](float v) { return std::abs(v) <= kMaxHalf; });
  if (encoding.values != ValueType::f16 || !fits) return f32_buffer({values.size()}, values);
  EncodedBuffer buffer{encoding, {values.size()}, {}};
  for (const float value : values) append_u16(buffer.plane(Plane::values), f32_to_f16(value));
  return buffer;
}

EncodedBuffer encode_table(const std::string& name, size_t rows, size_t cols, const Encoding& encoding,
                           const std::function<void(size_t row, float* out)>& read_row, double* relative_error) {
  EncodedBuffer out{encoding, {rows, cols}, {}};
  reserve(out, rows, cols);
  Matrix row(1, cols);
  double error = 0;
  double energy = 0;
  for (size_t r = 0; r < rows; ++r) {
    read_row(r, row.values.data());
    for (size_t c = 0; c < cols; ++c) {
      if (!std::isfinite(row.values[c])) {
        fail(Errc::malformed,
             message("tensor ", name, ": value ", row.values[c], " at row ", r, ", column ", c, ", must be finite"));
      }
    }
    const Grid grid = choose_grid(row, encoding, {}, nullptr);
    for (size_t c = 0; c < cols; ++c) {
      const float snapped = grid.snap(0, c, row.values[c]);
      const double difference = static_cast<double>(snapped) - row.values[c];
      error += difference * difference;
      energy += static_cast<double>(row.values[c]) * row.values[c];
      row.values[c] = snapped;
    }
    RowEncoder(grid, out).append(0, row.values.data());
  }
  if (relative_error != nullptr) *relative_error = energy > 0 ? error / energy : 0.0;
  return out;
}

}  // namespace lathe
