#pragma once
// Makes GGUF files for tests, good ones part by part and bad ones by lying about a part. Independent of the reader and
// the writer.

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::test {

template <class T>
std::string gguf_number(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}
/// A length and that many bytes.
inline std::string gguf_string(std::string_view text) {
  return gguf_number(static_cast<uint64_t>(text.size())).append(text);
}

/// Keys and tensors stand in the order in which they are added.
class GgufBuilder {
 public:
  uint32_t version = 3;
  std::optional<uint64_t> tensor_count;  // instead of the true one
  std::optional<uint64_t> pair_count;
  uint64_t alignment = 32;
  std::string magic = "GGUF";

  /// `type` is the number of the format: 4 u32, 5 i32, 6 f32, 7 bool, 8 string, 9 array, 10 u64.
  GgufBuilder& pair(std::string_view key, uint32_t type, std::string_view value) {
    pairs_.push_back(gguf_string(key) + gguf_number(type) + std::string(value));
    keys_.emplace_back(key);
    return *this;
  }
  GgufBuilder& u32(std::string_view key, uint32_t value) { return pair(key, 4, gguf_number(value)); }
  GgufBuilder& f32(std::string_view key, float value) { return pair(key, 6, gguf_number(value)); }
  GgufBuilder& text(std::string_view key, std::string_view value) { return pair(key, 8, gguf_string(value)); }
  GgufBuilder& strings(std::string_view key, const std::vector<std::string>& values) {
    std::string bytes = gguf_number(uint32_t{8}) + gguf_number(static_cast<uint64_t>(values.size()));
    for (const std::string& value : values) bytes += gguf_string(value);
    return pair(key, 9, bytes);
  }
  GgufBuilder& integers(std::string_view key, const std::vector<int32_t>& values) {
    std::string bytes = gguf_number(uint32_t{5}) + gguf_number(static_cast<uint64_t>(values.size()));
    for (const int32_t value : values) bytes += gguf_number(value);
    return pair(key, 9, bytes);
  }
  GgufBuilder& remove(std::string_view key) {
    for (size_t i = keys_.size(); i > 0; --i) {
      if (keys_[i - 1] != key) continue;
      keys_.erase(keys_.begin() + static_cast<std::ptrdiff_t>(i - 1));
      pairs_.erase(pairs_.begin() + static_cast<std::ptrdiff_t>(i - 1));
    }
    return *this;
  }

  /// Dimensions innermost first, as the file has them. The offset is where the data stands, unless given.
  GgufBuilder& tensor(std::string_view name, const std::vector<uint64_t>& dims, uint32_t type, std::string_view data,
                      std::optional<uint64_t> offset = {}) {
    std::string info = gguf_string(name) + gguf_number(static_cast<uint32_t>(dims.size()));
    for (const uint64_t dim : dims) info += gguf_number(dim);
    info += gguf_number(type) + gguf_number(offset.value_or(data_.size()));
    infos_.push_back(info);
    data_ += data;
    while (data_.size() % alignment != 0) data_ += '\0';
    return *this;
  }
  GgufBuilder& tensor_f32(std::string_view name, const std::vector<uint64_t>& dims, const std::vector<float>& values) {
    std::string bytes(values.size() * sizeof(float), '\0');
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return tensor(name, dims, 0, bytes);
  }

  std::string build() const {
    std::string file = magic + gguf_number(version) + gguf_number(tensor_count.value_or(infos_.size())) +
                       gguf_number(pair_count.value_or(pairs_.size()));
    for (const std::string& pair : pairs_) file += pair;
    for (const std::string& info : infos_) file += info;
    while (!data_.empty() && file.size() % alignment != 0) file += '\0';
    return file + data_;
  }

 private:
  std::vector<std::string> pairs_;
  std::vector<std::string> keys_;
  std::vector<std::string> infos_;
  std::string data_;
};

}  // namespace lathe::test
