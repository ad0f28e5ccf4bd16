#pragma once
// A model as a straight line of operations over named values. An architecture is the one place that knows a model's
// name; everything after it sees only this.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "formats/artifact/ops.h"
#include "formats/artifact/tensor.h"

namespace lathe {

/// What a value has one row for: each token, each sequence, or each sample of the batch. Samples are rows of numbers
/// that the caller gives; a program works on samples or on token sequences, not on both. The numbers are in files.
enum class RowKind : uint8_t { tokens = 0, sequences = 1, samples = 2 };

/// The shape of one row: `width` numbers, or an image of channels x height x width numbers, stored in that order.
struct RowShape {
  uint32_t channels = 0;  // 0 in a row of one dimension, where height is 0 as well
  uint32_t height = 0;
  uint32_t width = 0;

  constexpr RowShape() = default;
  constexpr RowShape(uint32_t numbers) : width(numbers) {}  // a row of one dimension, which most are
  constexpr RowShape(uint32_t image_channels, uint32_t image_height, uint32_t image_width)
      : channels(image_channels), height(image_height), width(image_width) {}

  constexpr bool is_image() const { return channels != 0; }
  /// How many numbers a row has. Fits 32 bits in a valid program.
  constexpr uint32_t size() const { return is_image() ? channels * height * width : width; }
  bool operator==(const RowShape&) const = default;
};
/// "384" or "3 x 32 x 32".
std::string row_shape_text(const RowShape& shape);

/// A matrix of f32 that the program computes or is given.
struct Value {
  std::string name;
  RowKind rows = RowKind::tokens;
  RowShape shape;

  bool operator==(const Value&) const = default;
};

struct Program {
  std::vector<std::string> weights;  // names; the tensors stand in the artifact's directory
  std::vector<Value> values;
  std::vector<Op> ops;
  std::vector<uint32_t> inputs;   // values that the caller provides (none for a whole model that reads token ids)
  std::vector<uint32_t> outputs;  // values that the caller gets

  bool operator==(const Program&) const = default;

  uint32_t add_weight(std::string name);
  uint32_t add_value(std::string name, RowKind rows, const RowShape& shape);
};

/// True when the program's values have rows for samples, so that its inputs are dense tensors; false when it reads
/// token sequences.
bool reads_samples(const Program& program);

/// The shape of the weight of that name; throws when there is none.
using ShapeOf = std::function<Shape(const std::string& weight)>;

/// Checks that every index is in range, each value is written once and before it is read, and every op keeps the rules
/// of its row in the op table. Throws Error{malformed} naming `file`, the op, the field and the bound.
void validate(const Program& program, const ShapeOf& shape_of, const std::string& file);

/// A part of a program, with values and weights renumbered.
struct ProgramSlice {
  Program program;
  std::vector<uint32_t> inputs;  // which of the given values it reads, by their ids in the whole program
};
/// The ops that compute the values `wanted` from the values `given` and the token streams, in order. A value may not
/// be both. Throws Error{internal} when an op that is needed is missing.
ProgramSlice slice(const Program& program, const std::vector<uint32_t>& given, const std::vector<uint32_t>& wanted);

}  // namespace lathe
