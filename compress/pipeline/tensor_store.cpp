#include "compress/pipeline/tensor_store.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "formats/artifact/atomic_file.h"
#include "formats/artifact/checksum.h"
#include "formats/safetensors/safetensors.h"
#include "formats/safetensors/safetensors_writer.h"
#include "formats/unnamed_file.h"

namespace lathe {
namespace {

constexpr const char* kFormat = "lathe-compression-1";
constexpr uint64_t kSpillAlignment = 64;

using Metadata = std::map<std::string, std::string>;

std::string plane_entry(size_t tensor, size_t plane) {
  return message(tensor, ":", plane_name(static_cast<Plane>(plane)));
}

Json tensor_json(const std::string& name, const EncodedTensor& tensor) {
  Json shape = Json::array();
  for (const uint64_t size : tensor.shape) shape.push(size);
  Json checksums = Json::array();
  for (const Bytes plane : tensor.planes) checksums.push(checksum(plane));
  return Json::object({{"name", name},
                       {"values", static_cast<uint32_t>(tensor.encoding.values)},
                       {"sparsity", static_cast<uint32_t>(tensor.encoding.sparsity)},
                       {"group", tensor.encoding.group},
                       {"shape", shape},
                       {"checksums", checksums}});
}

// Of everything but the planes, which have their own.
std::string checksum_text(const Metadata& metadata) {
  std::string all;
  for (const char* key : {"format", "job", "tensors", "facts"}) all += metadata.at(key) + "\n";
  return message(checksum(std::as_bytes(std::span(all))));
}

[[noreturn]] void refuse(const std::string& file, const std::string& why) {
  fail(Errc::malformed, message(file, ": ", why, "; remove this file and its group is compressed again"));
}

Metadata read_metadata(const SafetensorsHeader& header, const std::string& file) {
  Metadata metadata(header.metadata.begin(), header.metadata.end());
  for (const char* key : {"format", "job", "tensors", "facts", "checksum"}) {
    if (!metadata.contains(key)) refuse(file, message("metadata has no ", key));
  }
  if (metadata["format"] != kFormat) {
    refuse(file, message("format is \"", metadata["format"], "\", expected ", kFormat));
  }
  if (metadata["checksum"] != checksum_text(metadata)) refuse(file, "the checksum of its header is wrong");
  return metadata;
}

std::string text_of(const Json* value) { return value == nullptr ? "missing" : to_text(*value); }

// The first place where two values differ: "recipe.prune is 0.5 there and 0.6 here".
std::string difference(const Json* there, const Json* here, const std::string& path) {
  if (there != nullptr && here != nullptr && there->is_object() && here->is_object()) {
    const auto below = [&](const std::string& key) { return path.empty() ? key : path + "." + key; };
    for (const auto& [key, value] : here->members()) {
      const Json* other = there->find(key);
      if (other == nullptr || !(*other == value)) return difference(other, &value, below(key));
    }
    for (const auto& [key, value] : there->members()) {
      if (here->find(key) == nullptr) return difference(&value, nullptr, below(key));
    }
  }
  return message(path, " is ", text_of(there), " there and ", text_of(here), " here");
}

EncodedTensor read_tensor(const Json& json, size_t index, const SafetensorsHeader& header, const MappedFile& file) {
  const std::string& where = file.path();
  EncodedTensor tensor;
  const auto number = [&](const char* key) { return json.at(key, where).as_u64(where); };
  tensor.encoding = {static_cast<ValueType>(number("values")), static_cast<Sparsity>(number("sparsity")),
                     static_cast<uint32_t>(number("group"))};
  if (!is_known(tensor.encoding)) refuse(where, message("tensor ", index, " has an unknown encoding"));
  for (const Json& size : json.at("shape", where).items(where)) tensor.shape.push_back(size.as_u64(where));
  const Json::Array& checksums = json.at("checksums", where).items(where);
  for (size_t p = 0; p < kPlanes; ++p) {
    const std::string entry = plane_entry(index, p);
    const SafetensorsEntry* found = header.find(entry);
    if (found != nullptr) tensor.planes[p] = view_of(*found, header, file.bytes(), where).bytes;
    if (p >= checksums.size() || checksum(tensor.planes[p]) != checksums[p].as_u64(where)) {
      refuse(where, message("the checksum of plane ", entry, " is wrong"));
    }
  }
  validate(tensor, message(where, ": ", json.at("name", where).as_string(where)));
  return tensor;
}

// A file without a name.
class SpillFile {
 public:
  SpillFile() : folder_(spill_folder()), fd_(open_unnamed_file(folder_)) {
    if (fd_ < 0) {
      fail(Errc::cannot_create, message(folder_, ": cannot create a temporary file: ", std::strerror(errno),
                                        "; set TMPDIR to a folder with room for the compressed model"));
    }
  }
  SpillFile(const SpillFile&) = delete;
  SpillFile& operator=(const SpillFile&) = delete;
  ~SpillFile() { ::close(fd_); }

  /// Returns where the bytes begin.
  uint64_t append(Bytes bytes) {
    const uint64_t begin = round_up(size_, kSpillAlignment);
    size_ = begin;
    while (!bytes.empty()) {
      const ssize_t written = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(size_));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) {
        fail(Errc::io, message(folder_, ": cannot write a temporary file at offset ", size_, ": ", std::strerror(errno),
                               "; set TMPDIR to a folder with more room"));
      }
      bytes = bytes.subspan(static_cast<size_t>(written));
      size_ += static_cast<uint64_t>(written);
    }
    return begin;
  }
  MappedFile map() const { return MappedFile(message("/proc/self/fd/", fd_)); }

 private:
  std::string folder_;
  int fd_;
  uint64_t size_ = 0;
};

}  // namespace

TensorStore::TensorStore(std::filesystem::path folder, const Json& job) : folder_(std::move(folder)), job_(job) {
  if (folder_.empty()) return;
  std::error_code ignored;
  std::filesystem::create_directories(folder_, ignored);
  check_writable(file_of("group"));
}

std::filesystem::path TensorStore::file_of(const std::string& group) const {
  return folder_ / (group + ".safetensors");
}

std::optional<std::string> TensorStore::find(const std::string& group) {
  if (folder_.empty() || !std::filesystem::exists(file_of(group))) return std::nullopt;
  const MappedFile& file = files_.emplace_back(file_of(group));
  const std::string& where = file.path();
  const SafetensorsHeader header = parse_safetensors(file.bytes(), where);
  Metadata metadata = read_metadata(header, where);
  const Json job = parse_json(metadata["job"], where);
  const Json here = parse_json(to_text(job_), where);
  if (!(job == here)) {
    fail(Errc::usage, message(where, ": is of another run: ", difference(&job, &here, ""),
                              "; give --resume another folder or remove it"));
  }
  const Json list = parse_json(metadata["tensors"], where);
  const Json::Array& tensors = list.items(where);
  for (size_t i = 0; i < tensors.size(); ++i) {
    tensors_[tensors[i].at("name", where).as_string(where)] = read_tensor(tensors[i], i, header, file);
  }
  file.release(file.bytes());
  return metadata["facts"];
}

void TensorStore::write_group(const std::string& group, const std::map<std::string, EncodedBuffer>& tensors,
                              const std::string& facts) const {
  std::map<std::string, TensorView> planes;
  Json list = Json::array();
  size_t index = 0;
  for (const auto& [name, buffer] : tensors) {
    const EncodedTensor tensor = buffer.view();
    list.push(tensor_json(name, tensor));
    for (size_t p = 0; p < kPlanes; ++p) {
      const Bytes bytes = tensor.planes[p];
      if (!bytes.empty()) planes[plane_entry(index, p)] = {DType::u8, {bytes.size()}, bytes};
    }
    ++index;
  }
  Metadata metadata = {{"format", kFormat}, {"job", to_text(job_)}, {"tensors", to_text(list)}, {"facts", facts}};
  metadata["checksum"] = checksum_text(metadata);
  write_safetensors(file_of(group), planes, metadata);
}

void TensorStore::spill(const std::map<std::string, EncodedBuffer>& tensors) {
  SpillFile file;
  std::vector<std::array<uint64_t, kPlanes>> begins;
  for (const auto& [name, buffer] : tensors) {
    auto& begin = begins.emplace_back();
    for (size_t p = 0; p < kPlanes; ++p) begin[p] = file.append(buffer.planes[p]);
  }
  const Bytes bytes = files_.emplace_back(file.map()).bytes();
  auto begin = begins.begin();
  for (const auto& [name, buffer] : tensors) {
    EncodedTensor& tensor = tensors_[name] = {buffer.encoding, buffer.shape, {}};
    for (size_t p = 0; p < kPlanes; ++p) {
      if (!buffer.planes[p].empty()) tensor.planes[p] = bytes.subspan((*begin)[p], buffer.planes[p].size());
    }
    ++begin;
  }
}

void TensorStore::put(const std::string& group, const std::map<std::string, EncodedBuffer>& tensors,
                      const std::string& facts) {
  if (folder_.empty()) {
    spill(tensors);
    return;
  }
  write_group(group, tensors, facts);
  find(group);
}

void TensorStore::hold(const std::string& name, EncodedBuffer tensor) {
  EncodedBuffer& held = held_[name] = std::move(tensor);
  tensors_[name] = held.view();
}

const EncodedTensor& TensorStore::at(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) fail(Errc::internal, message("no compressed tensor ", name));
  return found->second;
}

std::map<std::string, EncodedBuffer> TensorStore::copies() const {
  std::map<std::string, EncodedBuffer> copies;
  for (const auto& [name, tensor] : tensors_) {
    EncodedBuffer& copy = copies[name] = {tensor.encoding, tensor.shape, {}};
    for (size_t p = 0; p < kPlanes; ++p) copy.planes[p].assign(tensor.planes[p].begin(), tensor.planes[p].end());
  }
  return copies;
}

void TensorStore::release() const noexcept {
  for (const MappedFile& file : files_) file.release(file.bytes());
}

}  // namespace lathe
