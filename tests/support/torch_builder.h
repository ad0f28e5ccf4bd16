#pragma once
// Makes files as torch.save writes them, good ones tensor by tensor and bad ones by replacing a record or a part of the
// pickle. Independent of the reader.

#include <string>
#include <string_view>
#include <vector>

#include "tests/support/safetensors_builder.h"
#include "tests/support/zip_builder.h"

namespace lathe::test {

// Pieces of a pickle, to be put after each other.
namespace pickle {

inline const std::string kProto = "\x80\x02";
inline const std::string kStop = ".";

inline std::string text(std::string_view value) {
  return "X" + little_endian(static_cast<uint32_t>(value.size())) + std::string(value);
}
/// Integers as Python writes them: the shortest of the forms that hold the value.
inline std::string integer(int64_t value) {
  if (value >= 0 && value < 0x100) return "K" + little_endian(static_cast<uint8_t>(value));
  if (value >= 0 && value < 0x10000) return "M" + little_endian(static_cast<uint16_t>(value));
  if (value == static_cast<int32_t>(value)) return "J" + little_endian(static_cast<int32_t>(value));
  return "\x8a\x08" + little_endian(value);
}
inline std::string global(std::string_view module, std::string_view name) {
  return "c" + std::string(module) + "\n" + std::string(name) + "\n";
}
inline std::string tuple(const std::vector<std::string>& items) {
  std::string out = "(";
  for (const std::string& item : items) out += item;
  return out + "t";
}
template <class Integer>
std::string integers(const std::vector<Integer>& values) {
  std::vector<std::string> items;
  for (const Integer value : values) items.push_back(integer(static_cast<int64_t>(value)));
  return tuple(items);
}
/// Keys and values, one after the other.
inline std::string dict(const std::vector<std::string>& items) {
  std::string out = "}(";
  for (const std::string& item : items) out += item;
  return out + "u";
}
inline std::string call(const std::string& function, const std::vector<std::string>& arguments) {
  return function + tuple(arguments) + "R";
}
inline std::string ordered_dict() { return global("collections", "OrderedDict") + ")R"; }

inline std::string storage(std::string_view type, std::string_view key, int64_t elements) {
  const std::string& kind = type == "UntypedStorage" ? global("torch.storage", type) : global("torch", type);
  return tuple({text("storage"), kind, text(key), text("cpu"), integer(elements)}) + "Q";
}
inline std::string tensor(const std::string& storage, int64_t offset, const std::string& size,
                          const std::string& stride) {
  return call(global("torch._utils", "_rebuild_tensor_v2"),
              {storage, integer(offset), size, stride, "\x89", ordered_dict()});
}

}  // namespace pickle

/// Tensors are entries of a dict, in the order in which they are added, each with a storage of its own.
class TorchBuilder {
 public:
  std::string root = "archive";

  /// `type` is the class of the storage: "FloatStorage".
  TorchBuilder& add(std::string_view name, std::string_view type, const std::vector<uint64_t>& shape,
                    std::string_view bytes) {
    uint64_t count = 1;
    std::vector<uint64_t> strides(shape.size());
    for (size_t i = shape.size(); i > 0; --i) {
      strides[i - 1] = count;
      count *= shape[i - 1];
    }
    const std::string key = add_record(bytes);
    return add_entry(name, pickle::tensor(pickle::storage(type, key, static_cast<int64_t>(count)), 0,
                                          pickle::integers(shape), pickle::integers(strides)));
  }
  TorchBuilder& add_f32(std::string_view name, const std::vector<uint64_t>& shape, const std::vector<float>& values) {
    return add(name, "FloatStorage", shape, raw_bytes(values));
  }
  /// A record of the archive; returns its key.
  std::string add_record(std::string_view bytes) {
    records_.emplace_back(bytes);
    return std::to_string(records_.size() - 1);
  }
  TorchBuilder& add_entry(std::string_view name, const std::string& value) {
    entries_.push_back(pickle::text(name));
    entries_.push_back(value);
    return *this;
  }

  std::string dict() const { return pickle::dict(entries_); }
  /// The archive with the dict as its pickle, or with another one.
  ZipBuilder zip() const { return zip(pickle::kProto + dict() + pickle::kStop); }
  ZipBuilder zip(const std::string& data_pickle) const {
    ZipBuilder zip;
    zip.add(root + "/data.pkl", data_pickle);
    zip.add(root + "/byteorder", "little");
    for (size_t i = 0; i < records_.size(); ++i) zip.add(root + "/data/" + std::to_string(i), records_[i]);
    zip.add(root + "/version", "3\n");
    return zip;
  }
  std::string build() const { return zip().build(); }

  /// The form without an archive; every record has a number of elements before it.
  std::string build_legacy(const std::string& machine = kLegacyMachine) const {
    std::string keys = "](";
    for (size_t i = 0; i < records_.size(); ++i) keys += pickle::text(std::to_string(i));
    std::string file = kLegacyMagic + kLegacyProtocol + pickle::kProto + machine + pickle::kStop + pickle::kProto +
                       dict() + pickle::kStop + pickle::kProto + keys + "e" + pickle::kStop;
    for (const std::string& record : records_) {
      file += little_endian(static_cast<uint64_t>(record.size() / sizeof(float))) + record;
    }
    return file;
  }
  inline static const std::string kLegacyMagic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
  inline static const std::string kLegacyProtocol = "\x80\x02M\xe9\x03.";
  inline static const std::string kLegacyMachine =
      pickle::dict({pickle::text("protocol_version"), pickle::integer(1001), pickle::text("little_endian"), "\x88"});

 private:
  std::vector<std::string> records_;
  std::vector<std::string> entries_;
};

}  // namespace lathe::test
