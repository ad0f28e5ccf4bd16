#include "compress/methods/encode.h"

#include <cmath>

#include "compress/methods/layer.h"
#include "formats/artifact/half.h"

namespace lathe {
namespace {

void append_u16(std::vector<std::byte>& plane, uint16_t bits) {
  plane.push_back(static_cast<std::byte>(bits & 0xffu));
  plane.push_back(static_cast<std::byte>(bits >> 8));
}

// Nibbles of one row, which begins on a byte.
class NibbleRow {
 public:
  explicit NibbleRow(std::vector<std::byte>& plane) : plane_(plane) {}
  void append(unsigned nibble) {
    if (count_++ % 2 == 0) {
      plane_.push_back(static_cast<std::byte>(nibble));
    } else {
      plane_.back() |= static_cast<std::byte>(nibble << 4);
    }
  }

 private:
  std::vector<std::byte>& plane_;
  size_t count_ = 0;
};

// Appends the stored values of rows to the planes of one encoding.
class RowEncoder {
 public:
  RowEncoder(const Grid& grid, EncodedBuffer& out) : grid_(grid), out_(out), cols_(out.shape.back()) {}

  void append(size_t grid_row, const float* values) {
    if (grid_.groups != 0) append_scales(grid_row);
    if (out_.encoding.sparsity == Sparsity::bitmask) append_mask(values);
    NibbleRow nibbles(out_.plane(Plane::values));
    for (size_t c = 0; c < cols_; ++c) {
      if (out_.encoding.sparsity == Sparsity::dense || values[c] != 0) append_value(grid_row, c, values[c], nibbles);
    }
  }

 private:
  void append_scales(size_t row) {
    append_u16(out_.plane(Plane::row_scales), f32_to_bf16(grid_.row_scales[row]));
    if (grid_.values != ValueType::int4) return;
    NibbleRow nibbles(out_.plane(Plane::group_scales));
    for (size_t g = 0; g < grid_.groups; ++g) nibbles.append(grid_.multipliers[row * grid_.groups + g]);
  }

  void append_mask(const float* values) {
    std::vector<std::byte>& plane = out_.plane(Plane::mask);
    const size_t begin = plane.size();
    plane.resize(begin + ceil_div(cols_, 8));
    for (size_t c = 0; c < cols_; ++c) {
      if (values[c] != 0) plane[begin + c / 8] |= static_cast<std::byte>(1u << (c % 8));
    }
  }

  void append_value(size_t row, size_t col, float value, NibbleRow& nibbles) {
    std::vector<std::byte>& plane = out_.plane(Plane::values);
    if (grid_.groups != 0) {
      const float inverse = grid_.inverse_steps[(col / grid_.group) * grid_.rows + row];
      const auto q = static_cast<int>(std::lround(value * inverse));
      if (grid_.values == ValueType::int4) {
        nibbles.append(static_cast<unsigned>(q) & 15u);
      } else {
        plane.push_back(static_cast<std::byte>(static_cast<int8_t>(q)));
      }
    } else if (grid_.values == ValueType::f32) {
      const Bytes bytes = std::as_bytes(std::span(&value, 1));
      plane.insert(plane.end(), bytes.begin(), bytes.end());
    } else {
      append_u16(plane, grid_.values == ValueType::f16 ? f32_to_f16(value) : f32_to_bf16(value));
    }
  }

  const Grid& grid_;
  EncodedBuffer& out_;
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
