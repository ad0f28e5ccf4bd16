#pragma once
// Makes safetensors files for tests, good ones tensor by tensor and bad ones from raw text. Independent of the reader.

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::test {

/// Little-endian length, header, data, as they stand.
inline std::string safetensors_file(std::string_view header, std::string_view data = {}) {
  const uint64_t length = header.size();
  std::string file(sizeof length, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  return file.append(header).append(data);
}

/// The bytes of plain values.
template <class T>
std::string raw_bytes(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

/// Tensors are laid out in the order in which they are added.
class SafetensorsBuilder {
 public:
  SafetensorsBuilder& add(std::string_view name, std::string_view dtype, const std::vector<uint64_t>& shape,
                          std::string_view bytes) {
    std::string dims;
    for (const uint64_t dim : shape) dims.append(dims.empty() ? "" : ",").append(std::to_string(dim));
    header_ += header_.empty() ? "{" : ",";
    header_.append("\"").append(name).append("\":{\"dtype\":\"").append(dtype).append("\",\"shape\":[").append(dims);
    header_.append("],\"data_offsets\":[").append(std::to_string(data_.size())).append(",");
    data_ += bytes;
    header_.append(std::to_string(data_.size())).append("]}");
    return *this;
  }
  SafetensorsBuilder& add_f32(std::string_view name, const std::vector<uint64_t>& shape,
                              const std::vector<float>& values) {
    return add(name, "F32", shape, raw_bytes(values));
  }

  /// `pad_to` spaces end the header at a multiple of that many bytes, as writers do to align the data.
  std::string build(size_t pad_to = 8) const {
    std::string header = header_.empty() ? "{}" : header_ + "}";
    while (header.size() % pad_to != 0) header += ' ';
    return safetensors_file(header, data_);
  }

 private:
  std::string header_;
  std::string data_;
};

}  // namespace lathe::test
