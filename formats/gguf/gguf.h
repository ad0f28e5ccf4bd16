#pragma once
// GGUF files (version 2 and 3): metadata and tensors, as the file has them.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "formats/artifact/mapped_file.h"
#include "formats/artifact/tensor.h"

namespace lathe {

/// The numbers are those of the file format. Only types that are read are listed.
enum class GgufType : uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  bf16 = 30
};

struct GgufTypeTraits {
  GgufType type;
  const char* name;       // "Q4_0"
  uint32_t block_values;  // numbers in a block
  uint32_t block_bytes;
  bool quantized;
  /// Writes block_values numbers for each of `blocks` blocks.
  void (*decode)(const std::byte* data, size_t blocks, float* out);
};
const GgufTypeTraits& gguf_traits(GgufType type);
/// nullptr for a type that is not read.
const GgufTypeTraits* find_gguf_traits(uint32_t type) noexcept;

struct GgufTensor {
  std::string name;
  GgufType type = GgufType::f32;
  Shape shape;  // row-major: outermost dimension first, the reverse of the file's order
  Bytes bytes;  // into the mapped file
};
/// All numbers of the tensor, row-major.
std::vector<float> decode(const GgufTensor& tensor);

/// Metadata values: integers of every width as int64 or uint64, floats as double.
using GgufStrings = std::vector<std::string>;
using GgufIntegers = std::vector<int64_t>;
using GgufNumbers = std::vector<double>;
using GgufValue = std::variant<bool, int64_t, uint64_t, double, std::string, GgufStrings, GgufIntegers, GgufNumbers>;
/// A short text of a metadata value for messages.
std::string excerpt(const GgufValue& value);

/// Everything is validated when it is opened. Immutable.
class GgufFile {
 public:
  /// Throws Error{no_input}; Error{malformed} naming file, key or tensor, offset, value and bound; Error{unsupported}
  /// for versions, byte orders, split files and tensor types that are not read; Error{limit}.
  explicit GgufFile(const std::filesystem::path& path);
  GgufFile(const GgufFile&) = delete;
  GgufFile& operator=(const GgufFile&) = delete;
  /// Reads bytes that outlive the file; `path` is its name for messages.
  GgufFile(Bytes file, std::string_view path);

  static bool is_gguf(Bytes beginning) noexcept;

  const std::string& path() const { return path_; }
  uint64_t bytes() const { return bytes_.size(); }
  const std::vector<GgufTensor>& tensors() const { return tensors_; }
  /// Null when there is none of that name.
  const GgufTensor* find(std::string_view name) const;
  /// A hint that these bytes of a tensor will not be needed soon.
  void release(Bytes range) const noexcept;

  bool has(std::string_view key) const { return values_.contains(key); }
  const std::map<std::string, GgufValue, std::less<>>& values() const { return values_; }
  // Throw Error{malformed} naming file and key when it is absent (unless a fallback is given), of another type, or out
  // of bounds.
  uint64_t integer(std::string_view key, uint64_t min, uint64_t max) const;
  uint64_t integer(std::string_view key, uint64_t min, uint64_t max, uint64_t fallback) const;
  double number(std::string_view key, double fallback) const;
  double number(std::string_view key) const;
  bool boolean(std::string_view key, bool fallback) const;
  const std::string& text(std::string_view key) const;
  const std::vector<std::string>& strings(std::string_view key) const;
  /// Empty when absent.
  const std::vector<int64_t>& integers_or_none(std::string_view key) const;

 private:
  void read();
  const GgufValue* find_value(std::string_view key) const;
  const GgufValue& get(std::string_view key) const;
  [[noreturn]] void fail_value(std::string_view key, std::string_view expected) const;

  std::optional<MappedFile> file_;
  std::string path_;
  Bytes bytes_;
  std::map<std::string, GgufValue, std::less<>> values_;
  std::vector<GgufTensor> tensors_;           // in the order of the file
  std::map<std::string_view, size_t> index_;  // into tensors_; the names are theirs
};

}  // namespace lathe
