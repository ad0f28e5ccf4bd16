#pragma once
// Bounds-checked access to bytes that came from a file, and the only arithmetic that may be done on sizes read there.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "formats/artifact/error.h"

namespace lathe {

static_assert(std::endian::native == std::endian::little, "Lathe's files are little-endian and mapped as they are");

using Bytes = std::span<const std::byte>;

/// a + b and a * b; throw Error{malformed} naming `what` when the result does not fit 64 bits.
inline uint64_t checked_add(uint64_t a, uint64_t b, std::string_view what) {
  uint64_t result = 0;
  if (__builtin_add_overflow(a, b, &result)) fail(Errc::malformed, message(what, ": ", a, " + ", b, " overflows"));
  return result;
}
inline uint64_t checked_mul(uint64_t a, uint64_t b, std::string_view what) {
  uint64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) fail(Errc::malformed, message(what, ": ", a, " * ", b, " overflows"));
  return result;
}

/// True when [offset, offset + size) lies inside [0, total); cannot wrap.
constexpr bool contains(uint64_t total, uint64_t offset, uint64_t size) {
  return offset <= total && size <= total - offset;
}

constexpr uint64_t round_up(uint64_t value, uint64_t multiple) { return (value + multiple - 1) / multiple * multiple; }
constexpr uint64_t ceil_div(uint64_t value, uint64_t divisor) { return (value + divisor - 1) / divisor; }

/// Reads a little-endian value at any alignment. The caller has checked that it lies inside.
template <class T>
T load_le(const std::byte* from) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// Writes a value as load_le() reads it.
template <class T>
void store_le(const T& value, std::byte* to) {
  static_assert(std::is_trivially_copyable_v<T>);
  std::memcpy(to, &value, sizeof value);
}

/// Views plain values as bytes, for writing.
template <class T>
Bytes as_bytes_of(const std::vector<T>& values) {
  return std::as_bytes(std::span<const T>(values));
}

/// Reads one field after the other; throws Error{malformed} naming file, field and offset when the bytes end early.
class ByteReader {
 public:
  ByteReader(Bytes bytes, std::string_view file) : bytes_(bytes), file_(file) {}

  template <class T>
  T read(std::string_view field) {
    static_assert(std::is_arithmetic_v<T>);
    return load_le<T>(take(sizeof(T), field).data());
  }
  /// A u32 length followed by that many bytes, at most `limit`.
  std::string read_string(std::string_view field, uint32_t limit);
  Bytes take(uint64_t size, std::string_view field);
  /// A u32 count of records of at least `min_record_bytes` each, so that nothing is reserved on a file's word alone.
  uint32_t read_count(std::string_view field, uint64_t min_record_bytes);

  uint64_t offset() const { return offset_; }
  uint64_t remaining() const { return bytes_.size() - offset_; }
  const std::string& file() const { return file_; }

 private:
  Bytes bytes_;
  std::string file_;
  uint64_t offset_ = 0;
};

/// Appends little-endian fields; the inverse of ByteReader.
class ByteWriter {
 public:
  template <class T>
  void write(T value) {
    static_assert(std::is_arithmetic_v<T>);
    bytes_.resize(bytes_.size() + sizeof value);
    std::memcpy(bytes_.data() + bytes_.size() - sizeof value, &value, sizeof value);
  }
  void write_string(std::string_view text) {
    write(static_cast<uint32_t>(text.size()));
    append(std::as_bytes(std::span(text)));
  }
  void append(Bytes bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }

  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace lathe
