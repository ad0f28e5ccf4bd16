#pragma once
// How a weight is stored. An encoding is a point of a grid: a value type x a sparsity x a group length. One struct of
// planes serves the file, the mapping and the kernels' packers; what each byte means is in docs/artifact-format.md.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "formats/artifact/tensor.h"
#include "formats/artifact/values/value_codec.h"

namespace lathe {

// The numbers of these enumerations are in files: they never change, they only grow.
enum class Sparsity : uint8_t { dense = 0, bitmask = 1 };
enum class Plane : uint8_t { values = 0, row_scales = 1, group_scales = 2, mask = 3 };
inline constexpr size_t kPlanes = 4;

struct Encoding {
  ValueType values = ValueType::f32;
  Sparsity sparsity = Sparsity::dense;
  uint32_t group = 0;  // grouped types: columns that share one group scale; 0 for every other type

  bool operator==(const Encoding&) const = default;
};

/// Integer values times their group multiplier always fit an int8: weight = row_scale * (group_scale * value), with
/// value in [-8, 7] and group_scale in [0, 15] for int4, and group_scale = 1 for int8. Therefore every integer encoding
/// expands exactly to int8 with one scale for each row, and one int8 kernel runs them all
/// (docs/decisions/0002-two-level-int4.md).
inline constexpr int kMaxGroupScale = 15;
inline constexpr uint32_t kDefaultGroup = 32;

/// A weight in its encoding. Non-owning: the planes belong to a mapped artifact or to an EncodedBuffer. Shape has
/// rank 1 (one row) or 2 ([rows, cols]; a linear layer is [outputs, inputs]).
struct EncodedTensor {
  Encoding encoding;
  Shape shape;
  std::array<Bytes, kPlanes> planes;

  uint64_t rows() const { return shape.size() == 1 ? 1 : shape[0]; }
  uint64_t cols() const { return shape.back(); }
  Bytes plane(Plane which) const { return planes[static_cast<size_t>(which)]; }
  uint64_t bytes() const;
};

/// An EncodedTensor that owns its planes.
struct EncodedBuffer {
  Encoding encoding;
  Shape shape;
  std::array<std::vector<std::byte>, kPlanes> planes;

  std::vector<std::byte>& plane(Plane which) { return planes[static_cast<size_t>(which)]; }
  EncodedTensor view() const;
};

/// A dense f32 weight of its own: as many values as the shape has elements, row-major.
EncodedBuffer f32_buffer(Shape shape, const std::vector<float>& values);

const char* plane_name(Plane plane);
/// "f32", "int8+bitmask", "int4/32", "int4/32+bitmask"
std::string encoding_name(const Encoding& encoding);
/// True when the byte values of a file name a known type and sparsity with a group that fits them.
bool is_known(const Encoding& encoding);

/// Bytes that `count` values take in a row: rows begin on a byte.
inline uint64_t packed_bytes(ValueType type, uint64_t count) { return ceil_div(count * value_codec(type).bits, 8); }
inline uint64_t group_count(const Encoding& encoding, uint64_t cols) { return ceil_div(cols, encoding.group); }

/// The size the plane must have; 0 when the encoding has no such plane. For bitmask values it needs the mask, so
/// this function is for the other planes; validate() checks all of them.
uint64_t plane_bytes(const Encoding& encoding, uint64_t rows, uint64_t cols, Plane plane);

/// Throws Error{malformed} naming `name`, the plane and the bound: sizes, set padding bits, scales that are not
/// positive and finite, non-finite float values.
void validate(const EncodedTensor& tensor, const std::string& name);

/// Where each row's values begin in the values plane, in bytes; rows() + 1 entries. The tensor is valid.
std::vector<uint64_t> row_starts(const EncodedTensor& tensor);

/// The reference decode, plain rather than fast: writes the cols() weights of one row. `row_start` is
/// row_starts()[row].
void decode_row(const EncodedTensor& tensor, uint64_t row, uint64_t row_start, float* out);
/// Writes the row of an integer encoding before the row scale: exact integers in [-128, 127].
void decode_row_integers(const EncodedTensor& tensor, uint64_t row, uint64_t row_start, int8_t* out);
/// The scale of one row of an integer encoding.
float row_scale(const EncodedTensor& tensor, uint64_t row);
/// The multiplier of the group that holds the column; 1 where the encoding has no groups.
int group_scale(const EncodedTensor& tensor, uint64_t row, uint64_t col);
/// All rows by decode_row: [rows, cols].
std::vector<float> decode(const EncodedTensor& tensor);
/// Weights that are stored as zero by the mask or the value; exact.
uint64_t count_zeros(const EncodedTensor& tensor);

}  // namespace lathe
