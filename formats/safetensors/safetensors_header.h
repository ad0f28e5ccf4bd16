#pragma once
// The JSON header of a safetensors file, as far as it can be judged without the data.

#include "formats/safetensors/safetensors.h"

namespace lathe {

/// Entries in file order, each well formed by itself (fields, type, dimensions, name); sizes, offsets and duplicate
/// names are the caller's to check. Memory is bounded by kMaxTensors whatever the text holds. Errors name `path`.
SafetensorsHeader parse_safetensors_header(std::string_view text, std::string_view path);

/// The key of the header that holds metadata instead of a tensor.
inline constexpr std::string_view kSafetensorsMetadata = "__metadata__";
/// How the format names a type; every DType has a name.
const SafetensorsType& safetensors_type(DType type);

}  // namespace lathe
