#pragma once
// The value types of encodings. Everything that is special to one type stands in one file of this folder; the rest of
// the project asks its row of the table. A new type is a new file and a row in value_codec.cpp.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace lathe {

// The numbers are in files: they never change, they only grow.
enum class ValueType : uint8_t { f32 = 0, f16 = 1, bf16 = 2, int8 = 3, int4 = 4 };

/// How values of one type are packed into a row of a plane, without scales. Rows begin on a byte.
struct ValueCodec {
  ValueType type;
  const char* name;
  uint32_t bits;  // of one value
  bool integer;   // integers times a scale of the row; otherwise floating-point numbers
  bool grouped;   // integers with a multiplier for each group of columns beside the scale of the row
  /// Integers that compression uses; 0 for floating-point types. The file may hold one more below `lowest`.
  int lowest;
  int highest;
  /// Floating-point types (otherwise null): the nearest number that the type holds, never infinite and never -0.
  float (*nearest)(float value);
  /// Floating-point types (otherwise null): reads or writes `count` packed values.
  void (*load_floats)(const std::byte* packed, uint64_t count, float* values);
  void (*store_floats)(const float* values, uint64_t count, std::byte* packed);
  /// Integer types (otherwise null): the same. `packed` is all zero before it is written.
  void (*load_integers)(const std::byte* packed, uint64_t count, int8_t* values);
  void (*store_integers)(const int8_t* values, uint64_t count, std::byte* packed);
};

/// The row of a type.
const ValueCodec& value_codec(ValueType type);
/// The row of that name; null when there is none.
const ValueCodec* find_value_codec(std::string_view name);
/// All rows, in the order of their numbers.
std::span<const ValueCodec* const> value_codecs();

}  // namespace lathe
