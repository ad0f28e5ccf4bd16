#pragma once
// GGUF files (version 2 and 3): metadata and tensors, as the file has them.

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "formats/artifact/mapped_file.h"
#include "formats/artifact/tensor.h"
#include "formats/checkpoint.h"

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
  q2_k = 10,
  q3_k = 11,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  iq4_nl = 20,
  iq4_xs = 23,
  bf16 = 30,
  mxfp4 = 39
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
  Shape shape;      // row-major: outermost dimension first, the reverse of the file's order
  Bytes bytes;      // into the mapped file
  size_t part = 0;  // the file that holds it, of a model in several
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
  /// Opens a file and, where it is the first of several parts, the others beside it: NAME-00001-of-00003.gguf and so
  /// on. Throws Error{no_input} when one is missing; Error{malformed} naming file, key or tensor, offset, value and
  /// bound; Error{unsupported} for versions, byte orders and tensor types that are not read; Error{limit};
  /// Error{usage} for a part that is not the first.
  explicit GgufFile(const std::filesystem::path& path);
  GgufFile(const GgufFile&) = delete;
  GgufFile& operator=(const GgufFile&) = delete;
  /// Reads bytes that outlive the file; `path` is its name for messages. Throws Error{unsupported} for one of several
  /// parts.
  GgufFile(Bytes file, std::string_view path);

  static bool is_gguf(Bytes beginning) noexcept;

  /// Of the first part, which has the metadata.
  const std::string& path() const { return path_; }
  /// Of the part that holds the tensor.
  const std::string& path_of(const GgufTensor& tensor) const;
  std::vector<SourceFile> files() const;
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
  void read(Bytes file);
  void read_part(const std::filesystem::path& path, size_t part, uint64_t parts);
  const GgufValue* find_value(std::string_view key) const;
  const GgufValue& get(std::string_view key) const;
  [[noreturn]] void fail_value(std::string_view key, std::string_view expected) const;

  std::vector<MappedFile> parts_;
  std::string path_;
  std::map<std::string, GgufValue, std::less<>> values_;
  std::vector<GgufTensor> tensors_;           // in the order of the files
  std::map<std::string_view, size_t> index_;  // into tensors_; the names are theirs
};

}  // namespace lathe
