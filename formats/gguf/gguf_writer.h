#pragma once
// Writes GGUF files (version 3), row by row, so that memory holds one row of a tensor at a time.

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "formats/gguf/gguf_encode.h"

namespace lathe {

/// The alternative is the type in the file; arrays are of strings or of i32.
using GgufField =
    std::variant<bool, uint32_t, int32_t, uint64_t, float, std::string, GgufStrings, std::vector<int32_t>>;

using GgufSink = std::function<void(const GgufRow& row)>;

struct GgufOutput {
  std::string name;
  GgufType type = GgufType::f32;
  Shape shape;  // row-major; the innermost dimension is a multiple of the type's block
  /// Gives the sink every row of the tensor, in order. Called once.
  std::function<void(const GgufSink& sink)> write;
};

/// Through AtomicFile: `path` holds either what it held before or the whole file, whose bytes follow from the
/// arguments: keys sorted, tensors as given, data aligned to 32. Returns the size of the file. Throws the errors of
/// AtomicFile and encode_gguf_row; Error{malformed} for names and texts that the reader would refuse; Error{internal}
/// when a tensor's rows are not those of its shape.
uint64_t write_gguf(const std::filesystem::path& path, const std::map<std::string, GgufField>& fields,
                    const std::vector<GgufOutput>& tensors);

}  // namespace lathe
