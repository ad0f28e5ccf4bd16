#pragma once
// The bytes of a GGUF file: header, metadata, descriptions of tensors, data.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "formats/gguf/gguf.h"

namespace lathe {

inline constexpr uint32_t kMaxGgufRank = 4;
inline constexpr size_t kMaxGgufTensorName = 63;
inline constexpr size_t kMaxGgufKey = 65'535;
inline constexpr uint64_t kMaxGgufString = uint64_t{16} << 20;
inline constexpr uint64_t kMaxGgufArray = uint64_t{1} << 24;  // elements
inline constexpr uint32_t kDefaultGgufAlignment = 32;
inline constexpr uint32_t kMinGgufAlignment = 8;
inline constexpr uint32_t kMaxGgufAlignment = 65'536;

/// The numbers of metadata types in the file.
enum class GgufValueType : uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

struct GgufContents {
  std::map<std::string, GgufValue, std::less<>> values;
  std::vector<GgufTensor> tensors;  // in the order of the file; bytes are views into it
};

/// `file` is the whole file, `path` its name for messages. Errors: those of GgufFile.
GgufContents parse_gguf(Bytes file, std::string_view path);

}  // namespace lathe
