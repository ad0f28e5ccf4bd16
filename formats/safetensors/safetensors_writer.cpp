#include "formats/safetensors/safetensors_writer.h"

#include <algorithm>
#include <vector>

#include "formats/artifact/atomic_file.h"
#include "formats/json.h"
#include "formats/safetensors/safetensors.h"
#include "formats/safetensors/safetensors_header.h"
#include "formats/text.h"

namespace lathe {
namespace {

constexpr uint64_t kHeaderAlignment = 8;

using NamedTensor = std::pair<const std::string, TensorView>;

void check_utf8(std::string_view text, const char* role, const std::string& path) {
  if (!is_utf8(text)) fail(Errc::malformed, message(path, ": ", role, " ", printable(text), " is not UTF-8"));
}

void check_tensor(const NamedTensor& named, const std::string& path) {
  const auto& [name, tensor] = named;
  check_tensor_name(name, path);
  check_utf8(name, "tensor name", path);
  if (name == kSafetensorsMetadata) {
    fail(Errc::malformed, message(path, ": no tensor can be named ", kSafetensorsMetadata));
  }
  if (tensor.shape.size() > kMaxRank) {
    fail(Errc::limit, message(path, ": tensor ", name, " has ", tensor.shape.size(), " dimensions, at most ", kMaxRank,
                              " can be read back"));
  }
  const uint64_t needed = checked_mul(element_count(tensor.shape, name), dtype_bytes(tensor.dtype), name);
  if (tensor.bytes.size() != needed) {
    fail(Errc::internal, message(path, ": tensor ", name, " ", shape_text(tensor.shape), " of ",
                                 dtype_name(tensor.dtype), " has ", tensor.bytes.size(), " bytes, needs ", needed));
  }
}

// Widest elements first, then by name, which is the order of the map.
std::vector<const NamedTensor*> in_file_order(const std::map<std::string, TensorView>& tensors) {
  std::vector<const NamedTensor*> ordered;
  for (const NamedTensor& named : tensors) ordered.push_back(&named);
  std::stable_sort(ordered.begin(), ordered.end(), [](const NamedTensor* a, const NamedTensor* b) {
    return dtype_bytes(a->second.dtype) > dtype_bytes(b->second.dtype);
  });
  return ordered;
}

std::string header_text(const std::vector<const NamedTensor*>& ordered,
                        const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) {
    Json pairs = Json::object();
    for (const auto& [key, value] : metadata) pairs.append({key, value});
    header.append({std::string(kSafetensorsMetadata), std::move(pairs)});
  }
  uint64_t offset = 0;
  for (const NamedTensor* named : ordered) {
    const auto& [name, tensor] = *named;
    Json shape = Json::array();
    for (const uint64_t extent : tensor.shape) shape.push(extent);
    const uint64_t end = checked_add(offset, tensor.bytes.size(), name);
    header.append({name, Json::object({{"dtype", safetensors_type(tensor.dtype).name},
                                       {"shape", std::move(shape)},
                                       {"data_offsets", Json::array({offset, end})}})});
    offset = end;
  }
  std::string text = to_text(header);
  text.resize(round_up(text.size(), kHeaderAlignment), ' ');
  return text;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, const std::map<std::string, TensorView>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  const std::string where = path.string();
  for (const NamedTensor& named : tensors) check_tensor(named, where);
  for (const auto& [key, value] : metadata) {
    check_utf8(key, "metadata key", where);
    check_utf8(value, "metadata value", where);
  }
  const std::vector<const NamedTensor*> ordered = in_file_order(tensors);
  const std::string header = header_text(ordered, metadata);
  if (header.size() > kMaxSafetensorsHeader) {
    fail(Errc::limit,
         message(where, ": header of ", header.size(), " bytes is beyond the limit of ", kMaxSafetensorsHeader));
  }
  ByteWriter length;
  length.write(static_cast<uint64_t>(header.size()));
  AtomicFile file(path);
  file.append(length.bytes());
  file.append(std::as_bytes(std::span(header)));
  for (const NamedTensor* named : ordered) file.append(named->second.bytes);
  file.commit();
}

}  // namespace lathe
