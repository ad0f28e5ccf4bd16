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

using NamedTensor = std::pair<const std::string, SafetensorsTensor>;

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
}

uint64_t bytes_of(const NamedTensor& named) {
  const auto& [name, tensor] = named;
  return checked_mul(element_count(tensor.shape, name), dtype_bytes(tensor.dtype), name);
}

// Widest elements first, then by name, which is the order of the map.
std::vector<const NamedTensor*> in_file_order(const std::map<std::string, SafetensorsTensor>& tensors) {
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
    const uint64_t end = checked_add(offset, bytes_of(*named), name);
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

SafetensorsPlan plan_safetensors(const std::string& path, const std::map<std::string, SafetensorsTensor>& tensors,
                                 const std::map<std::string, std::string>& metadata) {
  for (const NamedTensor& named : tensors) check_tensor(named, path);
  for (const auto& [key, value] : metadata) {
    check_utf8(key, "metadata key", path);
    check_utf8(value, "metadata value", path);
  }
  const std::vector<const NamedTensor*> ordered = in_file_order(tensors);
  const std::string header = header_text(ordered, metadata);
  if (header.size() > kMaxSafetensorsHeader) {
    fail(Errc::limit,
         message(path, ": header of ", header.size(), " bytes is beyond the limit of ", kMaxSafetensorsHeader));
  }
  ByteWriter head;
  head.write(static_cast<uint64_t>(header.size()));
  head.append(std::as_bytes(std::span(header)));
  SafetensorsPlan plan;
  plan.head = head.bytes();
  plan.file_bytes = plan.head.size();
  for (const NamedTensor* named : ordered) {
    const uint64_t bytes = bytes_of(*named);
    plan.places.push_back({named->first, plan.file_bytes, bytes});
    plan.file_bytes = checked_add(plan.file_bytes, bytes, path);
  }
  return plan;
}

void write_safetensors(const std::filesystem::path& path, const std::map<std::string, TensorView>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::map<std::string, SafetensorsTensor> described;
  for (const auto& [name, view] : tensors) described[name] = {view.dtype, view.shape};
  const SafetensorsPlan plan = plan_safetensors(path.string(), described, metadata);
  for (const SafetensorsPlan::Place& place : plan.places) {
    const TensorView& view = tensors.at(place.name);
    if (view.bytes.size() == place.bytes) continue;
    fail(Errc::internal, message(path.string(), ": tensor ", place.name, " ", shape_text(view.shape), " of ",
                                 dtype_name(view.dtype), " has ", view.bytes.size(), " bytes, needs ", place.bytes));
  }
  AtomicFile file(path);
  file.append(plan.head);
  for (const SafetensorsPlan::Place& place : plan.places) file.append(tensors.at(place.name).bytes);
  file.commit();
}

}  // namespace lathe
