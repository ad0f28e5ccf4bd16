#pragma once
// The safetensors format: a length, a JSON header that describes tensors, and their bytes. This reader is stricter than
// the format's own: duplicate names, unknown fields, holes, overlaps and unreasonable shapes are errors.

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/artifact/tensor.h"
#include "formats/tensor_name.h"

namespace lathe {

/// An element type as the format names it. Some have no DType: their tensors are checked but cannot be read.
struct SafetensorsType {
  std::string_view name;
  uint32_t bits = 0;
  bool readable = false;
  DType dtype = DType::f32;  // where readable
};

struct SafetensorsEntry {
  std::string name;
  const SafetensorsType* type = nullptr;  // a row of a static table
  Shape shape;
  uint64_t begin = 0;  // bytes from the start of the data
  uint64_t end = 0;
};

/// A header whose entries have been checked against each other and against the size of the file.
struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // sorted by name, which is unique
  std::vector<std::pair<std::string, std::string>> metadata;
  uint64_t data_offset = 0;  // of the data, from the start of the file

  /// nullptr when there is no such tensor.
  const SafetensorsEntry* find(std::string_view name) const;
};

inline constexpr uint64_t kMaxSafetensorsHeader = 100'000'000;

/// `file` is the whole file, `path` its name for messages. Throws Error{malformed}, Error{limit} (kMax...),
/// Error{unsupported} (more than kMaxRank dimensions, an element type that is not known).
SafetensorsHeader parse_safetensors(Bytes file, std::string_view path);

/// The entry's bytes in the file it was parsed from. Throws Error{unsupported} when its type has no DType.
TensorView view_of(const SafetensorsEntry& entry, const SafetensorsHeader& header, Bytes file, std::string_view path);

}  // namespace lathe
